/// A face that was cut out and encoded, and how its edits come into the photo: drawn on it where the networks have a compositor, pasted
/// otherwise. What depends on the photo alone is computed when this is made.
struct ChosenFace: Sendable {
    /// What the networks make of an edit.
    enum Edited: Sendable {
        case pasted(RGBImage)
        case drawn(fields: Tensor, after: RGBImage)
    }

    /// The face in the photo's own pixels, and as the networks see it.
    struct Crop: Sendable {
        let own: RGBImage
        let sRGB: RGBImage
        let unedited: RGBImage
    }

    private enum Form: Sendable {
        case paste(FacePaster, unedited: RGBImage?)
        case draw(DrawnFace)
    }

    let face: Face
    private let session: EditSession
    // Where it lies in the preview.
    private let place: CropTransform
    private let form: Form

    /// - Parameters:
    ///   - face: which of the photo's.
    ///   - session: in which its crop was opened.
    ///   - crop: the pixels.
    ///   - preview: the picture that previews show.
    ///   - source: the photo.
    ///   - networks: those of the session.
    ///   - keepsDetail: what pasting is to do.
    init(
        _ face: Face, _ session: EditSession, _ crop: Crop, on preview: RGBImage, of source: any PhotoSource,
        networks: any FaceNetworks, keepsDetail: Bool
    ) {
        (self.face, self.session) = (face, session)
        place = face.crop.scaled(by: Double(preview.width) / Double(source.width))
        if let side = networks.guideSide {
            form = .draw(DrawnFace(crop, side: side, pixels: networks.pixels))
        } else {
            let unedited = keepsDetail ? crop.unedited : nil
            let paster = FacePaster(
                crop: place, width: preview.width, rows: 0..<preview.height, faceSide: crop.unedited.width,
                reconstruction: unedited)
            form = .paste(paster, unedited: unedited)
        }
    }

    /// Runs the networks.
    func edited(_ edits: [Edit]) async throws -> Edited {
        let after = try await session.face(edits)
        guard case .draw(let drawn) = form else { return .pasted(after) }
        return .drawn(fields: try await session.fields(drawn.guides.tensor(after: after)), after: after)
    }

    /// The preview with an edit in it.
    func showing(_ edited: Edited, in preview: RGBImage) -> RGBImage {
        switch (edited, form) {
        case (.drawn(let fields, let after), .draw(let drawn)):
            return preview.drawing(drawn.overlay(fields, after), at: place)
        case (.pasted(let edit), .paste(let paster, _)):
            var result = preview
            paster.paste(edit, into: &result)
            return result
        default: preconditionFailure("an edit of another form")
        }
    }

    /// The same edit for the photo in full size.
    func fullSize(_ edited: Edited, of source: any PhotoSource) throws -> FullSizeEdit {
        switch (edited, form) {
        case (.drawn(let fields, let after), .draw(let drawn)):
            let overlay = try drawn.ownOverlay(fields, after, source.ownColours)
            let composition = Composition(overlay, at: face.crop, width: source.width, height: source.height)
            return FullSizeEdit(source, .draw(composition))
        case (.pasted(let edit), .paste(_, let unedited)):
            return FullSizeEdit(
                source,
                .paste(try source.ownColours(edit), unedited: try unedited.map(source.ownColours), at: face.crop))
        default: preconditionFailure("an edit of another form")
        }
    }
}

/// What the compositor and the drawing take from a photo's crop.
private struct DrawnFace: Sendable {
    let guides: Guides
    private let pixels: PixelSpec
    private let low: Tensor
    private let ownLow: Tensor

    init(_ crop: ChosenFace.Crop, side: Int, pixels: PixelSpec) {
        self.pixels = pixels
        guides = Guides(photo: crop.sRGB, before: crop.unedited, side: side, pixels: pixels)
        low = crop.sRGB.lowered(to: side)
        ownLow = crop.own.lowered(to: side)
    }

    /// An edit of a preview.
    func overlay(_ fields: Tensor, _ after: RGBImage) -> Overlay {
        Overlay(fields: fields, after: after, pixels: pixels, low: low)
    }

    /// An edit of the photo in its own colours.
    func ownOverlay(
        _ fields: Tensor, _ after: RGBImage, _ colours: @escaping (RGBImage) throws -> RGBImage
    ) throws -> Overlay {
        try Overlay(fields: fields, after: after, pixels: pixels, low: ownLow, colours: colours)
    }
}

/// An edit on its way into a photo of full size, from the top.
struct FullSizeEdit {
    /// What becomes of the photo's rows.
    enum Form {
        case keep
        case paste(RGBImage, unedited: RGBImage?, at: CropTransform)
        case draw(Composition)
    }

    private let source: any PhotoSource
    private let form: Form
    private var window: RowWindow

    init(_ source: any PhotoSource, _ form: Form) {
        (self.source, self.form) = (source, form)
        window = RowWindow(width: source.width)
    }

    /// The next rows, edited.
    mutating func rows(_ band: Range<Int>) throws -> RGBImage {
        switch form {
        case .keep: return try source.checkedRows(band)
        case .paste(let edit, let unedited, let crop):
            var rows = try source.checkedRows(band)
            FacePaster(crop: crop, width: rows.width, rows: band, faceSide: edit.width, reconstruction: unedited)
                .paste(edit, into: &rows)
            return rows
        case .draw(let composition):
            guard let needed = composition.needed(for: band) else { return try source.checkedRows(band) }
            let all = min(needed.lowerBound, band.lowerBound)..<max(needed.upperBound, band.upperBound)
            try window.move(to: all, of: source)
            var rows = window.picture(band)
            composition.draw(on: &rows, rows: band, from: window)
            return rows
        }
    }
}
