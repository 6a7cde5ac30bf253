package textedit.core

import java.io.ByteArrayOutputStream
import java.io.File
import java.nio.ByteBuffer
import javax.imageio.plugins.jpeg.JPEGHuffmanTable
import kotlin.math.abs
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.rules.TemporaryFolder

/** Photos are encoded and decoded by the JVM's own JPEG code, so that both ends are someone else's. */
class JpegEditTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private val photo = TestPhotos.smooth(333, 221, seed = 1)
    private val crop = TestPhotos.crop(170.0, 110.0, side = 100.0, radians = 0.2)
    private val edited = TestPhotos.smooth(32, 32, seed = 2)
    private val reconstruction = TestPhotos.smooth(32, 32, seed = 3)

    private fun saved(jpeg: ByteArray, change: FaceChange?): Pair<ByteArray, Saved> {
        val target = File(scratch.root, "saved.jpg")
        val answer = PhotoWriter(MemoryPhoto(photo, jpeg)).write(target, change)
        assertEquals(listOf("saved.jpg"), scratch.root.list()!!.toList(), "nothing half-made is left behind")
        return target.readBytes() to answer
    }

    private fun difference(a: PixelImage, b: PixelImage, at: Int) =
        listOf(16, 8, 0).maxOf { abs((a.argb[at] shr it and 0xFF) - (b.argb[at] shr it and 0xFF)) }

    /** Chroma of a block reaches one pixel beyond it when it is enlarged, hence blocks of 16 and one around them. */
    private fun isFar(at: Int, width: Int): Boolean {
        val box = Bounds.of(crop, context = 18.0)
        return at % width + 0.5 !in box.left..box.right || at / width + 0.5 !in box.top..box.bottom
    }

    @Test
    fun `outside the face every decoded pixel is equal, inside it is that of the exact paste`() {
        val jpeg = TestPhotos.jpeg(photo)
        val before = TestPhotos.decoded(jpeg)
        for (kept in listOf(reconstruction, null)) {
            val (bytes, answer) = saved(jpeg, PastedFace(crop, edited, kept))
            val after = TestPhotos.decoded(bytes)
            val exact = pasteBack(before, edited, crop, kept)
            assertEquals(emptySet(), answer.losses)
            assertTrue(after.argb.indices.filter { isFar(it, photo.width) }.all { after.argb[it] == before.argb[it] })
            // Where the photo's colour leaves its range, clamping before or after the change differs: those pixels are left out.
            val inside = after.argb.indices.filter { !isFar(it, photo.width) }
            val differences = inside.map { difference(after, exact, it) }.sorted()
            assertTrue(differences[differences.size / 2] <= 4, "half of the pixels differ by ${differences[differences.size / 2]}")
            assertTrue(inside.count { difference(before, after, it) > 20 } > 1000, "the face has changed")
        }
    }

    @Test
    fun `a turned photo changes where its face is seen`() {
        for (orientation in 1..8) {
            // Stored pixels are seen turned; the upright picture is what the mapping says.
            val stored = TestPhotos.smooth(160, 96, seed = 5)
            val mapping = uprightMapping(orientation, stored.width, stored.height)
            val face = Point(40.5, 30.5)
            val seen = Point(mapping.a * face.x + mapping.b * face.y + mapping.c, mapping.d * face.x + mapping.e * face.y + mapping.f)
            val jpeg = TestPhotos.jpeg(stored, listOf(APP1 to exif(orientation)))
            val target = File(scratch.root, "turned.jpg")
            val change = PastedFace(TestPhotos.crop(seen.x, seen.y, side = 24.0), edited, reconstruction)
            PhotoWriter(MemoryPhoto(stored, jpeg)).write(target, change)
            val (before, after) = TestPhotos.decoded(jpeg) to TestPhotos.decoded(target.readBytes())
            val changed = after.argb.indices.filter { difference(before, after, it) > 12 }
            assertTrue(changed.isNotEmpty(), "$orientation")
            assertEquals(face.x, changed.map { it % 160 + 0.5 }.average(), 5.0, "$orientation")
            assertEquals(face.y, changed.map { it / 160 + 0.5 }.average(), 5.0, "$orientation")
        }
    }

    @Test
    fun `metadata, profile and what follows the picture stay, but for the small picture`() {
        val profile = "ICC_PROFILE\u0000\u0001\u0001".toByteArray() + ByteArray(500) { it.toByte() }
        val trailer = "motion photo".toByteArray()
        val jpeg = TestPhotos.jpeg(photo, listOf(APP2 to profile, APP1 to exif(6))) + trailer
        val (bytes, _) = saved(jpeg, PastedFace(crop, edited, reconstruction))
        assertTrue(bytes.indexOf(profile) > 0)
        assertContentEquals(trailer, bytes.copyOfRange(bytes.size - trailer.size, bytes.size))
        val expected = exif(6).also { ExifSegment(it).removeThumbnail() }
        assertTrue(bytes.indexOf(expected) > 0 && bytes.indexOf(exif(6)) < 0)
        assertEquals(6, ExifSegment(expected).orientation)
        assertTrue(expected.indexOf(THUMBNAIL) < 0 && expected.indexOf(DATE) > 0)
    }

    @Test
    fun `a second picture in the file is found where it now is`() {
        val gainMap = TestPhotos.jpeg(TestPhotos.smooth(40, 30, seed = 9))
        val first = TestPhotos.jpeg(photo, listOf(APP2 to pictures(0, 0)))
        val start = first.indexOf("MPF\u0000".toByteArray()) + 4
        val jpeg = TestPhotos.jpeg(photo, listOf(APP2 to pictures(first.size, first.size - start))) + gainMap
        val (bytes, _) = saved(jpeg, PastedFace(crop, edited, reconstruction))
        val list = ByteBuffer.wrap(bytes, bytes.indexOf("MPF\u0000".toByteArray()) + 4, 66).slice()
        assertEquals(bytes.size - gainMap.size, list.getInt(ENTRIES_AT + 4), "size of the first picture")
        val found = bytes.indexOf("MPF\u0000".toByteArray()) + 4 + list.getInt(ENTRIES_AT + 16 + 8)
        assertContentEquals(gainMap, bytes.copyOfRange(found, bytes.size))
    }

    @Test
    fun `without a change the file is the photo's`() {
        val jpeg = TestPhotos.jpeg(photo)
        assertContentEquals(jpeg, saved(jpeg, null).first)
    }

    @Test
    fun `a photo of another kind is written anew, tile by tile`() {
        for (file in listOf(TestPhotos.jpeg(photo, progressive = true), "no picture".toByteArray(), TestPhotos.jpeg(photo).copyOf(4000))) {
            val (bytes, answer) = saved(file, PastedFace(crop, edited, reconstruction))
            assertEquals(setOf(Loss.FORMAT), answer.losses)
            val exact = pasteBack(photo, edited, crop, reconstruction)
            val pixels = IntArray(bytes.size / 3) { at ->
                (0..2).fold(0xFF) { argb, channel -> argb shl 8 or (bytes[3 * at + channel].toInt() and 0xFF) }
            }
            assertContentEquals(exact.argb, pixels)
        }
    }

    @Test
    fun `the tables are those of the standard`() {
        val own = JpegHuffman.DC + JpegHuffman.AC
        val known = listOf(
            JPEGHuffmanTable.StdDCLuminance, JPEGHuffmanTable.StdDCChrominance,
            JPEGHuffmanTable.StdACLuminance, JPEGHuffmanTable.StdACChrominance,
        )
        for ((a, b) in own.zip(known)) {
            val written = ByteArrayOutputStream().also { a.writeTo(it, 0, 0) }.toByteArray().drop(1).map { it.toInt() and 0xFF }
            assertEquals((b.lengths.map { it.toInt() } + List(16 - b.lengths.size) { 0 }) + b.values.map { it.toInt() }, written)
        }
    }

    private fun ByteArray.indexOf(part: ByteArray): Int =
        (0..size - part.size).firstOrNull { start -> part.indices.all { this[start + it] == part[it] } } ?: -1

    /** Orientation and date in the first directory, a small picture of eleven bytes in the second. */
    private fun exif(orientation: Int): ByteArray {
        val tiff = ByteBuffer.allocate(128)
        tiff.put("MM\u0000*".toByteArray()).putInt(8)
        tiff.putShort(2).entry(0x0112, 3, 1, orientation shl 16).entry(0x0132, 2, DATE.size, 80).putInt(38)
        tiff.putShort(2).entry(0x0201, 4, 1, 110).entry(0x0202, 4, 1, THUMBNAIL.size).putInt(0)
        tiff.position(80)
        tiff.put(DATE)
        tiff.position(110)
        tiff.put(THUMBNAIL)
        return "Exif\u0000\u0000".toByteArray() + tiff.array()
    }

    /** A list of two pictures; the second begins [place] bytes after the list's header. */
    private fun pictures(size: Int, place: Int): ByteArray {
        val tiff = ByteBuffer.allocate(66)
        tiff.put("MM\u0000*".toByteArray()).putInt(8)
        tiff.putShort(1).entry(0xB002, 7, 32, ENTRIES_AT).putInt(0)
        tiff.position(ENTRIES_AT)
        tiff.putInt(0x030000).putInt(size).putInt(0).putInt(0).putInt(0).putInt(5).putInt(place).putInt(0)
        return "MPF\u0000".toByteArray() + tiff.array()
    }

    private fun ByteBuffer.entry(tag: Int, type: Int, count: Int, value: Int): ByteBuffer =
        putShort(tag.toShort()).putShort(type.toShort()).putInt(count).putInt(value)

    private companion object {
        const val APP1 = 0xE1
        const val APP2 = 0xE2
        const val ENTRIES_AT = 26
        val DATE = "2026:01:31 12:00:00\u0000".toByteArray()
        val THUMBNAIL = "small photo".toByteArray()
    }
}
