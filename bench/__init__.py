"""What Storefold does in a second, beside what its parts do bare: `make bench`."""
