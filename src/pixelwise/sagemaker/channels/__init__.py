"""Where the data of a job comes from: folders, lists, manifests, pipes, RecordIO."""
