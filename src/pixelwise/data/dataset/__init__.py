"""Which file is whose: the channels of a dataset folder, its pairs, manifests and label maps."""
