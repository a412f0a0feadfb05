from .synthetic import draw_dataset as draw_dataset
