package textedit.core

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A bundle whose manifest, file sizes, hashes and vectors have been checked; [BundleReader.open] makes one. */
class Bundle internal constructor(val root: File, val manifest: Manifest) {
    /** Where a listed file lies on this device. */
    fun file(path: String): File = File(root, path)

    /**
     * The text of a prompt that is a vector, float32 [R,D] in C order; null for a prompt with an editor of its own.
     *
     * @throws BundleException the file does not hold what the text-conditioned editor takes, or a number in it is not finite.
     */
    fun vector(prompt: Prompt): FloatArray? {
        val path = prompt.vector ?: return null
        val values = tensor(path, textShape().let { (rows, columns) -> rows * columns })
        if (!values.all(Float::isFinite)) {
            throw BundleException("$path holds a number that is not finite; a text vector is a direction times a calibration")
        }
        return values
    }

    /**
     * Raw little-endian float32 numbers.
     *
     * @throws BundleException the file does not hold exactly [count] of them.
     */
    fun tensor(path: String, count: Int): FloatArray {
        val raw = file(path).readBytes()
        if (raw.size != Float.SIZE_BYTES * count) {
            throw BundleException("$path has ${raw.size} bytes; a tensor of $count numbers takes ${Float.SIZE_BYTES * count}")
        }
        val values = FloatArray(count)
        ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values)
        return values
    }

    /**
     * M, the side of what the compositor takes; null where the bundle has none and edited faces are pasted.
     *
     * @throws BundleException its shapes are not those of a compositor of this bundle.
     */
    internal fun guideSide(): Int? {
        val part = manifest.parts.find { it.name == Manifest.COMPOSITOR } ?: return null
        val (taken, given) = part.input.shape to part.output.shape
        val side = taken.last()
        val squares = taken == listOf(1, Guides.PLANES, side, side) && given == listOf(1, Overlay.PLANES, side, side) && side > 1
        val decoded = manifest.part(Manifest.DECODER).output.shape.last()
        if (!squares || manifest.pixels.size % side != 0 || decoded % side != 0) {
            throw BundleException("${part.name} takes $taken and gives $given, which does not fit pictures of ${manifest.pixels.size} and $decoded px")
        }
        return side
    }

    /** [R,D]: what the input of the text-conditioned editor has more than its output. */
    private fun textShape(): Pair<Int, Int> {
        val part = manifest.part(Manifest.TEXT_EDITOR)
        val (taken, given) = part.input.shape to part.output.shape
        if (taken.size != 3 || given.size != 3 || taken[1] <= given[1] || taken[2] != given[2]) {
            throw BundleException("${part.name} takes $taken and gives $given, which leaves no rows for a text")
        }
        return taken[1] - given[1] to taken[2]
    }
}
