"""What the parts of a BERT are called by Hugging Face and by our network and its graph. No torch."""

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
