package textedit.core

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.file.Files
import java.nio.file.StandardCopyOption.ATOMIC_MOVE

/** Writes a photo at full size, changed at one face or as it is. */
internal class PhotoWriter(private val source: PhotoSource) {
    /**
     * Replaces [target] when all is written.
     *
     * @param change null leaves the photo's bytes as they are.
     * @throws IOException the photo cannot be read, or the file not be written.
     */
    fun write(target: File, change: FaceChange?): Saved {
        val scratch = File(target.absoluteFile.parentFile, ".${target.name}.part")
        try {
            val losses = if (change == null) copy(scratch) else edit(scratch, change)
            Files.move(scratch.toPath(), target.toPath(), ATOMIC_MOVE)
            return Saved(losses)
        } finally {
            scratch.delete()
        }
    }

    private fun copy(target: File): Set<Loss> {
        source.open().use { input -> target.outputStream().use { input.copyTo(it) } }
        return emptySet()
    }

    private fun edit(target: File, change: FaceChange): Set<Loss> = try {
        JpegInput(source.open()).use { input ->
            JpegOutput(RandomAccessFile(target, "rw").apply { setLength(0) }).use { JpegEdit(input, it, change).run() }
        }
        emptySet()
    } catch (_: JpegUnsupported) {
        source.encode(target, change::onto)
    }
}
