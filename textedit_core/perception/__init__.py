"""What the losses see images through: a text-image model and a face recogniser."""
