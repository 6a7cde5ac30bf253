#if canImport(CoreML)
    import CoreGraphics
    import CoreImage
    import EditorCore
    import Foundation
    import ImageIO

    /// A photo in a file, upright and in its own colours. Its rows are rendered when they are asked for.
    public struct PhotoFile: PhotoSource, @unchecked Sendable {
        /// Where it lies; must stay there while the photo is edited.
        public let url: URL
        /// In pixels, upright.
        public let width: Int
        /// In pixels, upright.
        public let height: Int
        /// What its pixels are in.
        let space: CGColorSpace
        /// Whether the photo's own colours are others than red, green and blue, and were converted to sRGB.
        let isConverted: Bool
        // Core Image's objects never change and are safe in any thread.
        private let image: CIImage
        private let context: CIContext

        /// - Throws: the system cannot read the file.
        public init(at url: URL) throws {
            guard let managed = CIImage(contentsOf: url, options: [.applyOrientationProperty: true]),
                let sRGB = CGColorSpace(name: CGColorSpace.sRGB)
            else { throw ImageError.undecodable }
            let own = managed.colorSpace.flatMap { $0.model == .rgb ? $0 : nil }
            // Without any colour management the bytes of the file come out as they are.
            let plain = CIImage(contentsOf: url, options: [.applyOrientationProperty: true, .colorSpace: NSNull()])
            let image = own == nil ? managed : plain ?? managed
            let white = CIImage(color: .white).cropped(to: image.extent)
            self.url = url
            self.image = image.composited(over: white)
            isConverted = own == nil
            space = own ?? sRGB
            context = CIContext(options: own == nil ? [:] : [.workingColorSpace: NSNull()])
            (width, height) = (Int(image.extent.width), Int(image.extent.height))
        }

        /// Whole rows in the photo's own colours.
        public func rows(_ range: Range<Int>) throws -> RGBImage {
            var pixels = Data(count: 4 * width * range.count)
            // Core Image counts rows from the bottom.
            let bounds = CGRect(
                x: image.extent.minX, y: image.extent.minY + CGFloat(height - range.upperBound), width: CGFloat(width),
                height: CGFloat(range.count))
            pixels.withUnsafeMutableBytes { buffer in
                guard let start = buffer.baseAddress else { return }
                context.render(
                    image, toBitmap: start, rowBytes: 4 * width, bounds: bounds, format: .RGBA8,
                    colorSpace: isConverted ? space : nil)
            }
            return pixels.withUnsafeBytes { RGBImage(fourBytes: $0, width, range.count) }
        }

        /// A picture in the photo's colours, converted to sRGB.
        public func sRGB(_ picture: RGBImage) throws -> RGBImage { try RGBImage(try picture.cgImage(in: space)) }

        /// A picture in sRGB, converted to the photo's colours.
        public func ownColours(_ picture: RGBImage) throws -> RGBImage {
            try RGBImage(try picture.cgImage(), in: space)
        }
    }

    extension FaceEditor {
        /// Opens a photo in a file; the file stays as it is.
        ///
        /// - Throws: `ImageError`, or what `photo(_:)` throws.
        public func photo(at url: URL) async throws -> EditablePhoto { try await photo(PhotoFile(at: url)) }
    }
#endif
