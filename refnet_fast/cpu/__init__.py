"""The tuned kernels of the engine `cpu`, in files named like those of `refnet/ops` that define their ops."""
