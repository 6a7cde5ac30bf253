import Foundation

/// The photo that is open, kept so that it is there again when the system has ended the app in the background.
enum OpenPhotoStore {
    private static let folder = URL.applicationSupportDirectory.appending(path: "OpenPhoto", directoryHint: .isDirectory)
    private static var recipeFile: URL { folder.appending(path: "recipe.json") }

    /// Takes a picked photo in the place of the one before.
    static func take(_ photo: URL) throws -> URL {
        try? FileManager.default.removeItem(at: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let place = folder.appending(path: "photo").appendingPathExtension(photo.pathExtension)
        try FileManager.default.moveItem(at: photo, to: place)
        return place
    }

    /// Remembers what was done to it.
    static func keep(_ recipe: EditRecipe?) throws {
        guard let recipe else { return }
        try JSONEncoder().encode(recipe).write(to: recipeFile, options: .atomic)
    }

    /// The photo that was open last and what was done to it.
    static func last() -> (photo: URL, recipe: EditRecipe?)? {
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        guard let photo = files.first(where: { $0.lastPathComponent != recipeFile.lastPathComponent }) else { return nil }
        let recipe = (try? Data(contentsOf: recipeFile)).flatMap { try? JSONDecoder().decode(EditRecipe.self, from: $0) }
        return (photo, recipe)
    }
}
