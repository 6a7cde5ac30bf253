#if canImport(CoreML)
    import CoreGraphics
    import CoreImage
    import Foundation
    import ImageIO

    /// What makes a photo HDR: its brightness beyond white, on a smaller grid. It is kept as it is, turned upright as the photo was.
    struct GainMap {
        // 'L008': eight bits of grey.
        private static let pixelFormat = 0x4C30_3038

        /// As ImageIO takes it.
        let info: [CFString: Any]

        /// Nil for a photo without one.
        init?(of url: URL, _ original: CGImageSource) {
            let options: [CIImageOption: Any] = [
                .auxiliaryHDRGainMap: true, .applyOrientationProperty: true, .colorSpace: NSNull(),
            ]
            guard
                let stored = CGImageSourceCopyAuxiliaryDataInfoAtIndex(original, 0, kCGImageAuxiliaryDataTypeHDRGainMap)
                    as? [CFString: Any], let image = CIImage(contentsOf: url, options: options)
            else { return nil }
            let (width, height) = (Int(image.extent.width), Int(image.extent.height))
            var pixels = Data(count: width * height)
            pixels.withUnsafeMutableBytes { buffer in
                guard let start = buffer.baseAddress else { return }
                CIContext(options: [.workingColorSpace: NSNull()]).render(
                    image, toBitmap: start, rowBytes: width, bounds: image.extent, format: .L8, colorSpace: nil)
            }
            var info = stored
            info[kCGImageAuxiliaryDataInfoData] = pixels
            info[kCGImageAuxiliaryDataInfoDataDescription] =
                [
                    "Width": width, "Height": height, "BytesPerRow": width, "PixelFormat": Self.pixelFormat,
                    "Orientation": 1,
                ] as [String: Any]
            self.info = info
        }
    }
#endif
