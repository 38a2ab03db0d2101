"""What runs inside of the sandboxed child: rasters are opened nowhere else."""
