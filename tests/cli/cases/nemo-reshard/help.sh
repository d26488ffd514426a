nemo-reshard --help
