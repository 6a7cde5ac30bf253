import EditorCore
import EditorCoreML
import Foundation
import ImageIO

/// Decodes photos of the library.
enum PhotoDecoder {
    // The memory of a picture and of its edit stays below 100 MB.
    private static let longerSide = 4096

    /// An upright image of at most 4096 pixels a side.
    static func decode(_ data: Data) async throws -> RGBImage {
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true,
            // Applies the camera's orientation.
            kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: longerSide,
        ]
        guard let source = CGImageSourceCreateWithData(data as CFData, nil),
            let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
        else { throw ImageError.undecodable }
        return try RGBImage(image)
    }
}
