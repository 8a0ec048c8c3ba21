"""Where changes come from: archives and files of records, their mapping, and synchronisation with them."""
