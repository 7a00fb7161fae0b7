"""The names of a BERT's weights: Hugging Face's -> those of our network and graph."""

BERT_NAMES = (
    ("encoder.layer.", "layers."),
    ("attention.self.", "attention."),
    ("attention.output.dense.", "attention.output."),
    ("attention.output.LayerNorm.", "attention.LayerNorm."),
    ("intermediate.dense.", "intermediate."),
    ("output.dense.", "output."),
    ("output.LayerNorm.", "LayerNorm."),
)
"""Hugging Face nests each linear layer in a module of its own; here it is flat. Order matters."""
