/// What a user has done to one face, for undo and redo: each state is a list of edits, of which the photo itself is the empty one.
public struct EditHistory: Equatable, Sendable {
    /// Steps that can be undone; older ones are forgotten.
    public static let limit = 10

    private var states: [[Edit]] = [[]]
    private var place = 0
    private var isMoving = false

    /// The photo itself, and nothing to undo.
    public init() {}

    /// The edits that are in force.
    public var current: [Edit] { states[place] }
    /// The states from the oldest that is remembered to the one in force.
    public var steps: [[Edit]] { Array(states[...place]) }
    /// Whether there is a step to undo.
    public var canUndo: Bool { place > 0 }
    /// Whether there is a step to do again.
    public var canRedo: Bool { place < states.count - 1 }

    /// Takes new edits; what was undone before cannot be done again.
    ///
    /// - Parameters:
    ///   - edits: all that apply from now on.
    ///   - moving: the user has not let go of the slider: this and the moves before it are one step.
    public mutating func record(_ edits: [Edit], moving: Bool = false) {
        let joins = isMoving
        isMoving = moving
        if joins {
            states[place] = edits
            return
        }
        guard edits != current else {
            isMoving = false
            return
        }
        states.removeSubrange((place + 1)...)
        states.append(edits)
        if states.count > Self.limit + 1 { states.removeFirst() }
        place = states.count - 1
    }

    /// Goes one step back; false without one.
    @discardableResult
    public mutating func undo() -> Bool { move(by: -1) }

    /// Does the step again that was undone last; false without one.
    @discardableResult
    public mutating func redo() -> Bool { move(by: 1) }

    /// Back to the photo, as a step that can be undone.
    public mutating func reset() {
        isMoving = false
        record([])
    }

    private mutating func move(by steps: Int) -> Bool {
        isMoving = false
        guard states.indices.contains(place + steps) else { return false }
        place += steps
        return true
    }
}
