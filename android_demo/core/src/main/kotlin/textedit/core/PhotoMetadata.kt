package textedit.core

import java.nio.BufferUnderflowException
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** An EXIF block as it stands in a JPEG (Exif 2.32): TIFF directories after six bytes. What cannot be read is left as it is. */
internal class ExifSegment(val content: ByteArray) {
    private val tiff = TiffBlock(content, HEADER.size)

    /** How the stored picture is turned, 1 to 8; 1 is upright. */
    val orientation: Int get() = tiff.directory(tiff.first)?.find { it.tag == ORIENTATION }?.value?.takeIf { it in 1..8 } ?: 1

    /** Takes out the small picture, which shows the photo before the edit; its bytes become zeros, so that nothing else moves. */
    fun removeThumbnail() {
        val link = tiff.linkAfter(tiff.first) ?: return
        val entries = tiff.directory(tiff.int(link)) ?: return
        val (start, length) = listOf(THUMBNAIL, THUMBNAIL_LENGTH).map { tag -> entries.find { it.tag == tag }?.value ?: return }
        if (start < 0 || length < 0 || tiff.base + start + length.toLong() > content.size) return
        content.fill(0, tiff.base + start, tiff.base + start + length)
        tiff.put(link, 0)
    }

    companion object {
        private val HEADER = "Exif\u0000\u0000".toByteArray()
        private const val ORIENTATION = 0x0112
        private const val THUMBNAIL = 0x0201
        private const val THUMBNAIL_LENGTH = 0x0202

        fun matches(content: ByteArray) = content.startsWith(HEADER)
    }
}

/** The list of further pictures in the file, among them gain maps (CIPA DC-007), which names places in the file. */
internal class MultiPictureSegment(val content: ByteArray) {
    private val tiff = TiffBlock(content, HEADER.size)

    /** Moves what the list says of other pictures by [bytes], which the first picture has gained. */
    fun shift(bytes: Long) {
        val list = tiff.directory(tiff.first)?.find { it.tag == ENTRIES } ?: return
        for (entry in list.value until list.value + list.count step ENTRY_BYTES) {
            val place = if (entry == list.value) entry + SIZE_OFFSET else entry + PLACE_OFFSET
            val before = tiff.int(place)
            if (before != 0) tiff.put(place, (before + bytes).toInt())
        }
    }

    companion object {
        private val HEADER = "MPF\u0000".toByteArray()
        private const val ENTRIES = 0xB002
        private const val ENTRY_BYTES = 16
        private const val SIZE_OFFSET = 4
        private const val PLACE_OFFSET = 8

        fun matches(content: ByteArray) = content.startsWith(HEADER)
    }
}

private fun ByteArray.startsWith(start: ByteArray) = size > start.size && start.indices.all { this[it] == start[it] }

/** TIFF directories that begin at [base] of [content]; offsets count from there. */
private class TiffBlock(content: ByteArray, val base: Int) {
    class Entry(val tag: Int, val count: Int, val value: Int)

    private val buffer = ByteBuffer.wrap(content, base, content.size - base).slice().apply {
        order(if (content.getOrNull(base) == 'I'.code.toByte()) ByteOrder.LITTLE_ENDIAN else ByteOrder.BIG_ENDIAN)
    }

    /** Offset of the first directory. */
    val first: Int get() = orNull { buffer.getInt(4) } ?: 0

    fun int(offset: Int): Int = orNull { buffer.getInt(offset) } ?: 0

    fun put(offset: Int, value: Int) {
        orNull { buffer.putInt(offset, value) }
    }

    /** The entries of a directory; null where there is none. */
    fun directory(offset: Int): List<Entry>? = if (offset <= 0) null else orNull {
        List(buffer.getShort(offset).toInt() and 0xFFFF) { at -> entry(offset + 2 + 12 * at) }
    }

    /** Where the offset of the directory after the one at [offset] stands; null where there is none. */
    fun linkAfter(offset: Int): Int? = directory(offset)?.let { offset + 2 + 12 * it.size }?.takeIf { int(it) != 0 }

    private fun entry(offset: Int): Entry {
        val short = buffer.getShort(offset + 2).toInt() == SHORT
        val value = if (short) buffer.getShort(offset + 8).toInt() and 0xFFFF else buffer.getInt(offset + 8)
        return Entry(buffer.getShort(offset).toInt() and 0xFFFF, buffer.getInt(offset + 4), value)
    }

    private inline fun <T> orNull(read: () -> T): T? = try {
        read()
    } catch (_: IndexOutOfBoundsException) {
        null
    } catch (_: BufferUnderflowException) {
        null
    }

    private companion object {
        const val SHORT = 3
    }
}

/** From stored pixels of a picture of [width] x [height] to those of the upright one, by EXIF's orientation. */
internal fun uprightMapping(orientation: Int, width: Int, height: Int): Affine {
    val (w, h) = width.toDouble() to height.toDouble()
    return when (orientation) {
        2 -> Affine(-1.0, 0.0, w, 0.0, 1.0, 0.0)
        3 -> Affine(-1.0, 0.0, w, 0.0, -1.0, h)
        4 -> Affine(1.0, 0.0, 0.0, 0.0, -1.0, h)
        5 -> Affine(0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
        6 -> Affine(0.0, -1.0, h, 1.0, 0.0, 0.0)
        7 -> Affine(0.0, -1.0, h, -1.0, 0.0, w)
        8 -> Affine(0.0, 1.0, 0.0, -1.0, 0.0, w)
        else -> Affine(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    }
}
