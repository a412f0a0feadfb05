from .synthetic.dataset import draw_dataset as draw_dataset
