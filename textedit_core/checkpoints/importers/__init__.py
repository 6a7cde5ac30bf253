"""Importers of other projects' checkpoints: one module per format.

The contract (contract.py): a format is an `Importer`, a module's constant IMPORTER, and stands in the dict of detect.py.

- `safe_unpickle` and `detect.open_source` read a file into a `Source`: tensors and plain containers, no class of the file is ever built.
- `Importer.recognises(source)` decides by content which format it is; the formats exclude each other.
- `Importer.read(source, name)` returns `Imported`: a config of this project, the state dict of the network that it builds, and a report
  that says of every key whether it was used, or why not. A missing key, another shape or a key nobody knows is a UserError that names it.
- `import_model.import_checkpoint` writes what was imported as an ordinary checkpoint.
"""
