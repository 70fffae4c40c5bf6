"""The studies of the project, one a file, each as ``STUDY``."""
