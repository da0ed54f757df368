"""The vocabulary of thin provisioning: tables, status lines, sizes, names and errors, as pure values."""
