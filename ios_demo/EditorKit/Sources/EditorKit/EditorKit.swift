// One import for an app.
@_exported import EditorCore
@_exported import EditorCoreML
