package textedit.core

import java.io.Closeable
import java.io.InputStream
import java.io.RandomAccessFile

/** A photo that is not a JPEG whose blocks can be edited one by one, or is damaged; it is written anew instead. */
internal class JpegUnsupported(what: String) : Exception("the photo is no JPEG that can be edited in place: $what")

private const val BUFFER = 1 shl 16
private const val MARKER = 0xFF

/** Reads a JPEG: bytes between scans, bits within one. */
internal class JpegInput(private val stream: InputStream) : Closeable {
    private val buffer = ByteArray(BUFFER)
    private var at = 0
    private var end = 0
    private var consumed = 0L
    private var bits = 0L
    private var count = 0
    private var missing = 0

    /** Bytes that were read so far. */
    val position: Long get() = consumed + at

    fun byteOrEnd(): Int {
        if (at == end && !fill()) return -1
        return buffer[at++].toInt() and 0xFF
    }

    fun byte(): Int = byteOrEnd().also { if (it < 0) throw JpegUnsupported("it ends early") }

    fun short(): Int = byte() shl 8 or byte()

    fun bytes(size: Int): ByteArray = ByteArray(size) { byte().toByte() }

    /** The next marker's code; bytes of filling before it are skipped. */
    fun marker(): Int {
        if (byte() != MARKER) throw JpegUnsupported("a marker is missing")
        var code = byte()
        while (code == MARKER) code = byte()
        return code
    }

    /** The next [size] bits, at most 16, which stay to be read; zeros stand for what a scan lacks. */
    fun peek(size: Int): Int {
        while (count < size) {
            bits = bits shl 8 or scanByte().toLong()
            count += 8
        }
        return (bits ushr (count - size)).toInt() and (1 shl size) - 1
    }

    fun skip(size: Int) {
        count -= size
    }

    /** A number of [size] bits as T.81 codes it: those of the lower half are negative. */
    fun signed(size: Int): Int {
        if (size == 0) return 0
        val value = peek(size)
        skip(size)
        return if (value < 1 shl (size - 1)) value - (1 shl size) + 1 else value
    }

    /** Drops what is left of a byte, at a restart and at the end of a scan. */
    fun endOfBits() {
        // Bytes that were taken ahead are zeros in place of a marker, which still stands in the stream.
        if (count - 8 * missing !in 0..7) throw JpegUnsupported("a scan that does not end where it should")
        count = 0
        missing = 0
    }

    private fun scanByte(): Int {
        if (missing > 0) return lacking()
        val value = byteOrEnd()
        if (value != MARKER) return if (value < 0) lacking() else value
        val next = byteOrEnd()
        if (next == 0) return MARKER
        if (next < 0) return lacking()
        // A marker ends the scan; it is to be read again.
        unread(next)
        return lacking()
    }

    private fun lacking(): Int {
        if (++missing > MOST_MISSING) throw JpegUnsupported("a scan ends early")
        return 0
    }

    private fun unread(second: Int) {
        at -= 2
        buffer[at] = MARKER.toByte()
        buffer[at + 1] = second.toByte()
    }

    private fun fill(): Boolean {
        // The last byte stays, so that a marker across two blocks can be put back.
        val kept = if (end > 0) 1 else 0
        if (kept == 1) buffer[0] = buffer[end - 1]
        val read = stream.read(buffer, kept, buffer.size - kept)
        consumed += end - kept
        at = kept
        end = kept + maxOf(0, read)
        return read > 0
    }

    override fun close() = stream.close()

    private companion object {
        // A peek of 16 bits asks for at most so many bytes beyond the last code.
        const val MOST_MISSING = 3
    }
}

/** Writes a JPEG: bytes between scans, bits within one. */
internal class JpegOutput(private val file: RandomAccessFile) : Closeable {
    private val buffer = ByteArray(BUFFER)
    private var used = 0
    private var bits = 0
    private var count = 0

    /** Bytes that were written so far. */
    var position = 0L
        private set

    fun byte(value: Int) {
        if (used == buffer.size) flush()
        buffer[used++] = value.toByte()
        position++
    }

    fun short(value: Int) {
        byte(value shr 8 and 0xFF)
        byte(value and 0xFF)
    }

    fun bytes(values: ByteArray) = values.forEach { byte(it.toInt()) }

    fun marker(code: Int) {
        byte(MARKER)
        byte(code)
    }

    fun segment(code: Int, content: ByteArray) {
        marker(code)
        short(content.size + 2)
        bytes(content)
    }

    fun bits(value: Int, size: Int) {
        bits = bits shl size or value
        count += size
        while (count >= 8) {
            count -= 8
            scanByte(bits shr count and 0xFF)
        }
    }

    /** Fills a byte with ones, at a restart and at the end of a scan. */
    fun endOfBits() {
        if (count > 0) bits((1 shl (8 - count)) - 1, 8 - count)
        bits = 0
    }

    /** Writes over [values]'s size of bytes at [position]. */
    fun replace(position: Long, values: ByteArray) {
        flush()
        file.seek(position)
        file.write(values)
        file.seek(this.position)
    }

    private fun scanByte(value: Int) {
        byte(value)
        if (value == MARKER) byte(0)
    }

    private fun flush() {
        file.write(buffer, 0, used)
        used = 0
    }

    override fun close() {
        flush()
        file.fd.sync()
        file.close()
    }
}
