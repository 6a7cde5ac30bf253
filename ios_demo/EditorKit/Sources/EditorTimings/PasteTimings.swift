import EditorCore
import Foundation

/// How long a move of the slider takes from the decoder's face to the picture on screen, for crops of several sides.
struct PasteTimings {
    static let sides = [400, 800, 1100]
    static let picture = (width: 1280, height: 960)
    private static let faceSide = 256

    let rounds: Int
    let threads: Int?

    /// Both forms in turn, round after round.
    ///
    /// - Throws: the forms differ by more than a level.
    func run() throws -> [Measurement] {
        try Self.sides.flatMap { side in
            try [false, true].flatMap { keepsDetail in try measured(side, keepsDetail: keepsDetail) }
        }
    }

    private func measured(_ side: Int, keepsDetail: Bool) throws -> [Measurement] {
        let picture = Self.noise(Self.picture.width, Self.picture.height, seed: 1)
        let (face, unedited) = (Self.noise(Self.faceSide, Self.faceSide, seed: 2), Self.noise(256, 256, seed: 3))
        let crop = Self.turned(side, in: Self.picture)
        let paster = FacePaster(
            crop: crop, width: picture.width, rows: 0..<picture.height, faceSide: Self.faceSide,
            reconstruction: keepsDetail ? unedited : nil, threads: threads)
        let plain = (picture: PlainRaster(picture), face: PlainRaster(face), unedited: PlainRaster(unedited))
        var (plainTimes, tunedTimes) = ([Double](), [Double]())
        for round in 0..<rounds + 1 {
            var (expected, shown) = (plain.picture, picture)
            let plainTime = milliseconds(threads: threads) {
                expected = plain.picture.pasting(
                    plain.face, at: crop, reconstruction: keepsDetail ? plain.unedited : nil)
            }
            let tunedTime = milliseconds(threads: threads) { paster.paste(face, into: &shown, threads: threads) }
            try Self.compare(expected.bytes, shown.bytes)
            // The first round warms up.
            guard round > 0 else { continue }
            plainTimes.append(plainTime)
            tunedTimes.append(tunedTime)
        }
        let id = "paste_\(side)" + (keepsDetail ? "_keep_detail" : "")
        return [("plain", plainTimes), ("tuned", tunedTimes)].map { form, samples in
            Measurement(id: id, crop: side, form: form, unit: "ms", samples: samples)
        }
    }

    /// A crop in the middle of the picture, turned as heads are; its sides leave the picture where it is too large.
    static func turned(_ side: Int, in picture: (width: Int, height: Int)) -> CropTransform {
        let centre = SIMD2(Double(picture.width), Double(picture.height)) / 2
        // A turn of 4 degrees.
        let axis = Double(side) * SIMD2(0.99756, 0.06976)
        return CropTransform(origin: centre - (axis + SIMD2(-axis.y, axis.x)) / 2, axis: axis)
    }

    private static func compare(_ expected: [UInt8], _ shown: [UInt8]) throws {
        let worst = zip(expected, shown).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
        // One level, as tests/contracts allows; with the change of two pictures, one of each.
        guard worst <= 2 else { throw TimingError.formsDiffer(worst) }
    }

    /// Noise, the same on every machine.
    static func noise(_ width: Int, _ height: Int, seed: UInt32) -> RGBImage {
        var state = seed
        let bytes = (0..<3 * width * height).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
        return RGBImage(width: width, height: height, bytes: bytes)
    }
}

/// One timed form.
struct Measurement: Encodable {
    let id: String
    let crop: Int
    let form: String
    let unit: String
    let samples: [Double]
}

/// Why there are no timings.
enum TimingError: Error, CustomStringConvertible {
    case formsDiffer(Int)
    case usage(String)

    var description: String {
        switch self {
        case .formsDiffer(let levels): "the plain and the tuned form differ by \(levels) levels"
        case .usage(let problem): "\(problem); usage: EditorTimings [--rounds N] [--threads N] [--save MEGAPIXELS]"
        }
    }
}

/// Milliseconds of work: processor time of this thread where it does the work alone, so that other processes do not count.
func milliseconds(threads: Int?, _ work: () -> Void) -> Double {
    guard threads == 1 else { return ContinuousClock().measure(work) / .milliseconds(1) }
    let began = threadTime()
    work()
    return threadTime() - began
}

private func threadTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return 1e3 * Double(time.tv_sec) + 1e-6 * Double(time.tv_nsec)
}
