nemo-convert --help
