"""What a digital object is and how it changes: pure rules, no input or output."""
