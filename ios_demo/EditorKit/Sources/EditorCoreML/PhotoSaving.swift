#if canImport(CoreML)
    import CoreGraphics
    import EditorCore
    import Foundation
    import ImageIO
    import UniformTypeIdentifiers

    /// An edited photo in a file of its own.
    public struct SavedPhoto: Sendable {
        /// Where it lies; whoever asked for it removes it.
        public let url: URL
        /// Its format: that of the photo where the system writes it.
        public let type: UTType
        /// What the photo had and the file has not, for the user to know.
        public let notKept: [Loss]

        /// Something that a saved photo has lost.
        public enum Loss: Sendable, Equatable {
            /// The format: the system reads it and does not write it.
            case format
            /// Colours that are not red, green and blue were converted to sRGB.
            case colours
            /// More than eight bits a colour.
            case depth
            /// The brightness of HDR.
            case gainMap
        }
    }

    extension EditablePhoto {
        // Outside of the face a lossy format changes as little as it can.
        private static let quality = 0.95

        /// Writes the last edit in full size to a new file, with the photo's metadata, colours and gain map; the photo's file stays as
        /// it is.
        ///
        /// - Parameters:
        ///   - folder: where the file is made.
        ///   - wanted: its format; nil for that of the photo.
        /// - Throws: `ImageError` if the photo is not a `PhotoFile` or cannot be written, or what `save(to:)` throws.
        public func save(in folder: URL = .temporaryDirectory, as wanted: UTType? = nil) async throws -> SavedPhoto {
            guard let file = source as? PhotoFile,
                let original = CGImageSourceCreateWithURL(file.url as CFURL, nil),
                let name = CGImageSourceGetType(original), let own = UTType(name as String)
            else { throw ImageError.undecodable }
            let writable = CGImageDestinationCopyTypeIdentifiers() as? [String] ?? []
            let type = wanted ?? (writable.contains(own.identifier) ? own : .heic)
            let pixels = folder.appending(path: "\(UUID().uuidString).rows")
            defer { try? FileManager.default.removeItem(at: pixels) }
            var rows = try RowFile(at: pixels)
            try await save(to: &rows)
            let image = try CGImage.fourBytes(try rows.finished(), file.width, file.height, in: file.space)
            let url = folder.appending(path: UUID().uuidString).appendingPathExtension(for: type)
            let keepsGainMap = try write(image, as: type, to: url, original, GainMap(of: file.url, original))
            return SavedPhoto(
                url: url, type: type, notKept: losses(file, original, own, type, keepsGainMap: keepsGainMap))
        }

        /// Whether a gain map, if there is one, was taken along.
        private func write(
            _ image: CGImage, as type: UTType, to url: URL, _ original: CGImageSource, _ gainMap: GainMap?
        ) throws -> Bool {
            guard
                let destination = CGImageDestinationCreateWithURL(
                    url as CFURL, type.identifier as CFString, 1, nil)
            else { throw ImageError.unwritable(type.identifier) }
            var properties = CGImageSourceCopyPropertiesAtIndex(original, 0, nil) as? [CFString: Any] ?? [:]
            // The pixels are upright now.
            properties[kCGImagePropertyOrientation] = 1
            if var tiff = properties[kCGImagePropertyTIFFDictionary] as? [CFString: Any] {
                tiff[kCGImagePropertyTIFFOrientation] = 1
                properties[kCGImagePropertyTIFFDictionary] = tiff
            }
            properties[kCGImageDestinationLossyCompressionQuality] = Self.quality
            properties[kCGImageDestinationEmbedThumbnail] = true
            CGImageDestinationAddImage(destination, image, properties as CFDictionary)
            if let gainMap, type == .heic || type == .jpeg {
                CGImageDestinationAddAuxiliaryDataInfo(
                    destination, kCGImageAuxiliaryDataTypeHDRGainMap, gainMap.info as CFDictionary)
            }
            guard CGImageDestinationFinalize(destination) else { throw ImageError.unwritable(type.identifier) }
            return gainMap != nil && (type == .heic || type == .jpeg)
        }

        private func losses(
            _ file: PhotoFile, _ original: CGImageSource, _ own: UTType, _ type: UTType, keepsGainMap: Bool
        ) -> [SavedPhoto.Loss] {
            let properties = CGImageSourceCopyPropertiesAtIndex(original, 0, nil) as? [CFString: Any] ?? [:]
            let hadGainMap =
                CGImageSourceCopyAuxiliaryDataInfoAtIndex(original, 0, kCGImageAuxiliaryDataTypeHDRGainMap) != nil
            var losses: [SavedPhoto.Loss] = []
            if type != own { losses.append(.format) }
            if file.isConverted { losses.append(.colours) }
            if properties[kCGImagePropertyDepth] as? Int ?? 8 > 8 { losses.append(.depth) }
            if hadGainMap && !keepsGainMap { losses.append(.gainMap) }
            return losses
        }
    }

    /// Rows on their way to an encoder, kept in a file that the system may drop from memory at any time.
    private struct RowFile: PhotoSink {
        private let url: URL
        private let handle: FileHandle

        init(at url: URL) throws {
            try Data().write(to: url)
            self.url = url
            handle = try FileHandle(forWritingTo: url)
        }

        mutating func write(_ rows: RGBImage) throws { try handle.write(contentsOf: rows.fourBytes()) }

        func finished() throws -> Data {
            try handle.close()
            return try Data(contentsOf: url, options: .alwaysMapped)
        }
    }
#endif
