"""What runs in the sandboxed child: all that lets GDAL touch a file of somebody's."""
