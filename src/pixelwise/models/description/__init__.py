"""What a network looks like: sizes, strides, receptive fields, costs."""
