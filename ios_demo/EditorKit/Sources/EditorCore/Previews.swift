/// A finished picture of a photo under edit.
public struct Preview: Equatable, Sendable {
    /// What was edited.
    public let edits: [Edit]
    /// The whole photo in the size of a preview, sRGB.
    public let picture: RGBImage
}

/// The previews of one photo in the order of the requests. It ends when the photo or the task is cancelled, and throws what the engine
/// throws; a new loop goes on from there.
public struct Previews: AsyncSequence, Sendable {
    let photo: EditablePhoto

    /// Begins with the newest request.
    public func makeAsyncIterator() -> Iterator { Iterator(photo: photo) }

    /// One loop.
    public struct Iterator: AsyncIteratorProtocol {
        let photo: EditablePhoto
        private var seen = 0

        init(photo: EditablePhoto) { self.photo = photo }

        /// Waits for a request that was not shown yet, and makes its picture.
        public mutating func next() async throws -> Preview? {
            guard let request = await photo.requests.next(after: seen) else { return nil }
            seen = request.number
            return try await photo.preview(request.value)
        }
    }
}

extension EditablePhoto {
    /// The picture of a request.
    func preview(_ request: Request) async throws -> Preview {
        guard let face = request.face, let edit = try await request.edited() else {
            return Preview(edits: request.edits, picture: original)
        }
        return Preview(edits: request.edits, picture: face.pasting(edit, into: original))
    }

    /// Writes the photo with the last edit in full size, some rows at a time: pixels outside the face are those that `source` gave.
    ///
    /// - Throws: `CancellationError` after `cancel`, or what source, sink or engine throw.
    public func save(to sink: inout some PhotoSink) async throws {
        let request = inForce
        let paste = try await fullSize(request)
        for band in PhotoBands.covering(0..<source.height) {
            try Task.checkCancellation()
            if requests.isClosed { throw CancellationError() }
            var rows = try source.checkedRows(band)
            paste?.paste(into: &rows, at: band)
            try sink.write(rows)
        }
    }

    private func fullSize(_ request: Request) async throws -> FullSizePaste? {
        guard let face = request.face, let edit = try await request.edited() else { return nil }
        return FullSizePaste(
            crop: face.face.crop, edit: try source.ownColours(edit),
            unedited: try face.unedited.map(source.ownColours))
    }
}

/// An edit on its way into a photo of full size.
private struct FullSizePaste {
    let crop: CropTransform
    let edit: RGBImage
    let unedited: RGBImage?

    func paste(into rows: inout RGBImage, at band: Range<Int>) {
        FacePaster(crop: crop, width: rows.width, rows: band, faceSide: edit.width, reconstruction: unedited)
            .paste(edit, into: &rows)
    }
}
