"""What runs beside the microscope: cameras, runtimes, the pipeline, the screen and the store."""
