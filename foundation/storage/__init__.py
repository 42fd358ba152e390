"""Files on local disks and object stores: addresses, atomic writes, Arrow tables."""
