package textedit.core

/** One file of a bundle: path below its root, size in bytes, SHA-256 in lower-case hex. */
data class FileEntry(val path: String, val bytes: Long, val sha256: String)

/** How an sRGB image becomes numbers: `value = minimum + byte * (maximum - minimum) / 255`, channels first, square of side [size]. */
data class PixelSpec(val size: Int, val minimum: Float, val maximum: Float)

/** Name and static float32 shape of a graph's input or output. */
data class TensorSpec(val name: String, val shape: List<Int>) {
    /** How many numbers the tensor holds. */
    val count: Int get() = shape.fold(1, Math::multiplyExact)
}

/** One network of the bundle. */
data class Part(val name: String, val file: String, val precision: String, val bytes: Long, val input: TensorSpec, val output: TensorSpec)

/**
 * One prompt as a gallery shows it.
 *
 * @property names display name by BCP 47 locale.
 * @property part the network that serves it: `editors/ID`, or [Manifest.TEXT_EDITOR] for a prompt that is a vector.
 * @property vector path of the text that [Manifest.TEXT_EDITOR] takes below w_plus; null for a prompt with an editor of its own.
 */
data class Prompt(
    val id: String,
    val text: String,
    val names: Map<String, String>,
    val strength: StrengthRange,
    val part: String,
    val file: String,
    val vector: String?,
) {
    /** The name for a language tag such as `zh-Hans-CN`: the closest of [names], else the English one, else the [id] as words. */
    fun displayName(languageTag: String): String {
        val tags = generateSequence(languageTag) { it.substringBeforeLast('-', "").ifEmpty { null } } + "en"
        return tags.firstNotNullOfOrNull { names[it] } ?: id.replace('_', ' ').replace('-', ' ')
    }
}

/** Self-test of one part: feed [input] (PNG or raw little-endian float32), expect [output] within [psnrFloorDb]. */
data class GoldenCase(val part: String, val input: String, val output: String, val shape: List<Int>, val psnrFloorDb: Double)

/** What runs the networks, and the version that the files were made with. */
data class RuntimeRequirement(val name: String, val version: String, val backend: String, val minOs: String)

/** bundle.json after every check that needs no other file; `docs/bundle.md` is the contract. */
data class Manifest(
    val digest: String,
    val name: String,
    val target: String,
    val runtime: RuntimeRequirement,
    val pixels: PixelSpec,
    val cropRule: CropRule,
    val parts: List<Part>,
    val prompts: List<Prompt>,
    val golden: List<GoldenCase>,
    val checkpointId: String,
    val files: List<FileEntry>,
    val publicKey: String?,
) {
    /** @throws BundleException the bundle has no such part. */
    fun part(name: String): Part = parts.find { it.name == name }
        ?: throw BundleException("bundle has no part '$name'; it has: ${parts.map(Part::name).sorted().joinToString()}")

    /** @throws BundleException the bundle has no such prompt. */
    fun prompt(id: String): Prompt = prompts.find { it.id == id }
        ?: throw BundleException("unknown prompt '$id'; this bundle has: ${prompts.map(Prompt::id).sorted().joinToString()}")

    companion object {
        const val FILE = "bundle.json"
        const val SIGNATURE_FILE = "bundle.json.sig"
        /** Version 2 may hold a compositor. */
        const val SCHEMA_VERSION = 2

        /** Bundles without a compositor, whose edited faces are pasted. */
        const val PASTING_VERSION = 1
        const val MAX_BYTES = 4 * 1024 * 1024

        const val ENCODER = "encoder"
        const val DECODER = "decoder"
        const val TEXT_EDITOR = "text_editor"
        const val COMPOSITOR = "compositor"
    }
}

/** A bundle that does not keep the contract; the message is one line that names the file or field. */
class BundleException(message: String, cause: Throwable? = null) : Exception(message, cause)
