/// The strengths that a prompt may be applied with, unitless: 0 is the face as the decoder reconstructs it, 1 the edit as trained.
public struct StrengthRange: Equatable, Sendable {
    /// What is used when nobody chose.
    public let standard: Double
    /// The least.
    public let minimum: Double
    /// The most.
    public let maximum: Double

    /// Makes a range of its three numbers.
    public init(standard: Double, minimum: Double, maximum: Double) {
        self.standard = standard
        self.minimum = minimum
        self.maximum = maximum
    }

    /// Whether a strength may be used; what is not a number may not.
    public func contains(_ strength: Double) -> Bool { minimum <= strength && strength <= maximum }
}

/// One prompt with its strength.
public struct Edit: Equatable, Sendable {
    /// The prompt's id.
    public let prompt: String
    /// Within the prompt's range.
    public let strength: Double

    /// - Parameters:
    ///   - prompt: the id of one of the bundle's prompts.
    ///   - strength: unitless, within the prompt's range.
    public init(prompt: String, strength: Double) {
        self.prompt = prompt
        self.strength = strength
    }
}

extension Tensor {
    /// `w_plus + strength * delta_w`, both [1, L, D].
    func moved(along delta: Tensor, by strength: Double) -> Tensor {
        precondition(delta.shape == shape, "delta_w \(delta.shape) is of another model than w_plus \(shape)")
        let factor = Float(strength)
        var result = self
        for index in result.values.indices { result.values[index] += factor * delta.values[index] }
        return result
    }

    /// w_plus [1, L, D] and below its levels the rows [R, D] of a text: [1, L + R, D].
    func withText(_ rows: Tensor) -> Tensor {
        Tensor(shape: [shape[0], shape[1] + rows.shape[0], shape[2]], values: values + rows.values)
    }
}
