"""django-simple-history, as a Django application with one model."""
