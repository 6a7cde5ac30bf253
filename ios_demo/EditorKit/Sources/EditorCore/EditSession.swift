/// One photo under edit: encoded once, edited many times. The latest request wins, and one network runs at a time.
///
/// A slider asks faster than a decoder answers. Each request waits for the one that is running; when its turn comes and a newer one
/// has been made meanwhile, it ends with `EditError.overtaken` and costs nothing.
public actor EditSession {
    private let networks: any FaceNetworks
    private var wPlus: Tensor?
    private var deltas: [String: Tensor] = [:]
    private(set) var latest = Ticket(photo: 0, edit: 0)
    private var running: Task<Void, Never>?

    /// What a piece of work was asked for: an edit is stale after the next edit, and everything is after the next photo.
    struct Ticket: Sendable {
        var photo: Int
        var edit: Int?
    }

    /// - Parameters:
    ///   - bundle: what the networks are.
    ///   - engine: what runs them.
    public init(bundle: EditorBundle, engine: some EditorEngine) {
        self.init(networks: BundleNetworks(bundle: bundle, engine: engine))
    }

    /// - Parameter networks: the steps of an edit.
    public init(networks: some FaceNetworks) {
        self.networks = networks
    }

    /// Encodes an aligned face; edits from now on are edits of it.
    ///
    /// - Parameter crop: a square of the side that the bundle's pixels name.
    public func open(_ crop: RGBImage) async throws {
        wPlus = nil
        deltas = [:]
        latest.photo += 1
        try await inTurn(Ticket(photo: latest.photo)) { session, ticket in
            let encoded = try await session.networks.encode(crop)
            try await session.keep(encoded, for: ticket)
        }
    }

    /// The face with edits applied; without any, as the decoder reconstructs it.
    ///
    /// - Throws: `EditError`, `CancellationError` when the task was cancelled, or what the engine throws.
    public func render(_ edits: [Edit]) async throws -> RGBImage {
        try networks.check(edits)
        latest.edit = (latest.edit ?? 0) + 1
        return try await face(edits, latest)
    }

    /// The same for a caller that asks for one face at a time: no later edit takes its place, only another photo does.
    func face(_ edits: [Edit]) async throws -> RGBImage {
        try networks.check(edits)
        return try await face(edits, Ticket(photo: latest.photo))
    }

    /// What the compositor says of an edit of this photo, in turn with its other networks.
    func fields(_ guides: Tensor) async throws -> Tensor {
        try await inTurn(Ticket(photo: latest.photo)) { session, ticket in
            let fields = try await session.networks.composite(guides)
            try await session.require(ticket)
            return fields
        }
    }

    private func face(_ edits: [Edit], _ ticket: Ticket) async throws -> RGBImage {
        try await inTurn(ticket) { session, ticket in
            let target = try await session.latents(after: edits, for: ticket)
            let face = try await session.networks.decode(target)
            try await session.require(ticket)
            return face
        }
    }

    /// Waits until the work before has ended, then does this one unless it has been overtaken or cancelled.
    private func inTurn<Result: Sendable>(
        _ ticket: Ticket, _ work: @escaping @Sendable (EditSession, Ticket) async throws -> Result
    ) async throws -> Result {
        let before = running
        let task = Task {
            await before?.value
            try self.require(ticket)
            return try await work(self, ticket)
        }
        running = Task { _ = await task.result }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func require(_ ticket: Ticket) throws {
        try Task.checkCancellation()
        let isLatest = ticket.photo == latest.photo && (ticket.edit == nil || ticket.edit == latest.edit)
        guard isLatest else { throw EditError.overtaken }
    }

    private func keep(_ encoded: Tensor, for ticket: Ticket) throws {
        try require(ticket)
        wPlus = encoded
    }

    private func latents(after edits: [Edit], for ticket: Ticket) async throws -> Tensor {
        guard let source = wPlus else { throw EditError.noPhoto }
        var target = source
        for edit in edits {
            target = target.moved(along: try await delta(of: edit.prompt, from: source), by: edit.strength)
            try require(ticket)
        }
        return target
    }

    private func delta(of prompt: String, from source: Tensor) async throws -> Tensor {
        if let known = deltas[prompt] { return known }
        let delta = try await networks.delta(of: prompt, at: source)
        if wPlus == source { deltas[prompt] = delta }
        return delta
    }
}
