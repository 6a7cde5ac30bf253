package textedit.core

import java.io.File
import java.util.Random
import kotlin.math.abs
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.rules.TemporaryFolder

/** `compose` keeps to the contract's vectors (`ContractTest`); here the parts, threads and files that it is drawn in. */
class CompositionTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private val photo = TestPhotos.smooth(333, 221, seed = 1)
    private val face = TestPhotos.smooth(16, 16, seed = 2)
    private val pixels = PixelSpec(size = 16, minimum = -1f, maximum = 1f)
    private val decode = pixels.toTensor(TestPhotos.smooth(16, 16, seed = 3))
    private val crops = listOf(
        TestPhotos.crop(170.0, 110.0, side = 100.0, radians = 0.2),
        TestPhotos.crop(170.0, 110.0, side = 180.0, radians = -2.0),
        TestPhotos.crop(300.0, 200.0, side = 200.0, radians = 0.7),
    )

    /** Moves and paints between the cells 2 and 5 of 8, or does nothing. */
    private fun overlay(changes: Boolean = true): Overlay {
        val random = Random(4)
        val fields = FloatArray(8 * 64) { at ->
            val inner = at % 8 in 2..5 && at % 64 / 8 in 2..5
            when {
                at / 64 < 2 -> if (changes && inner) random.nextFloat() - 0.5f else 0f
                at / 64 == 2 -> if (changes && inner) random.nextFloat() else 0f
                else -> random.nextFloat()
            }
        }
        return Guides(8, pixels, face, decode).overlay(fields, decode)
    }

    private fun drawnFace(photo: PixelImage, crop: CropTransform): DrawnFace {
        val box = overlay().needed(crop, photo.width, photo.height)
        return DrawnFace(PhotoPart(box.left, box.top, box.right, box.bottom), photo.cropped(box), overlay(), crop)
    }

    private fun difference(a: PixelImage, b: PixelImage, at: Int) =
        listOf(16, 8, 0).maxOf { abs((a.argb[at] shr it and 0xFF) - (b.argb[at] shr it and 0xFF)) }

    @Test
    fun `strips drawn from the part that is held, by any number of threads, are the whole`() {
        for (crop in crops) {
            val whole = compose(photo, overlay(), crop)
            assertNotEquals(photo.argb.toList(), whole.argb.toList())
            RowPool(threads = 3).use { assertContentEquals(whole.argb, Composition(photo, overlay(), crop).picture(it).argb) }
            val change = drawnFace(photo, crop)
            for (top in 0 until photo.height step 64) {
                val part = PhotoPart(0, top, photo.width, minOf(photo.height, top + 64))
                val strip = photo.cropped(Box(0, top, part.right, part.bottom))
                val expected = whole.argb.copyOfRange(top * photo.width, part.bottom * photo.width)
                assertContentEquals(expected, change.onto(part, strip).argb, "$crop from $top")
            }
        }
    }

    @Test
    fun `where nothing moves and nothing is painted the photo keeps its bytes`() {
        val nothing = overlay(changes = false)
        assertContentEquals(photo.argb, compose(photo, nothing, crops[0]).argb)
        assertTrue(nothing.changed(crops[0], photo.width, photo.height).isEmpty)
        assertTrue(nothing.needed(crops[0], photo.width, photo.height).isEmpty)
        assertTrue(overlay().changed(TestPhotos.crop(900.0, 900.0, side = 100.0), photo.width, photo.height).isEmpty)
    }

    /** Blocks of colour are 16 pixels a side, and enlarging colour reaches one pixel beyond them. */
    @Test
    fun `a JPEG is drawn in its own blocks, whichever way it is stored`() {
        for (orientation in listOf(1, 3, 6, 7)) {
            val jpeg = TestPhotos.jpeg(photo, listOf(0xE1 to exif(orientation)))
            val before = upright(TestPhotos.decoded(jpeg), orientation)
            val crop = TestPhotos.crop(before.width / 2.0, before.height / 2.0, side = 160.0, radians = 0.2)
            val change = drawnFace(before, crop)
            val target = File(scratch.root, "saved.jpg")
            assertEquals(Saved(emptySet()), PhotoWriter(MemoryPhoto(before, jpeg)).write(target, change))
            val after = upright(TestPhotos.decoded(target.readBytes()), orientation)
            val expected = compose(before, overlay(), crop)
            val box = change.changed
            val (inside, outside) = after.argb.indices.partition { at ->
                at % after.width in box.left - 18..box.right + 18 && at / after.width in box.top - 18..box.bottom + 18
            }
            assertTrue(outside.isNotEmpty() && outside.all { after.argb[it] == before.argb[it] }, "$orientation")
            val differences = inside.map { difference(after, expected, it) }.sorted()
            assertTrue(differences[differences.size / 2] <= 4, "$orientation: half of the pixels differ by ${differences[differences.size / 2]}")
            assertTrue(inside.count { difference(before, after, it) > 20 } > 1000, "$orientation: the face has changed")
        }
    }

    /** The picture as it is seen. */
    private fun upright(stored: PixelImage, orientation: Int): PixelImage {
        val mapping = uprightMapping(orientation, stored.width, stored.height)
        val lying = mapping.a == 0.0
        val (width, height) = if (lying) stored.height to stored.width else stored.width to stored.height
        val seen = IntArray(width * height)
        for (at in stored.argb.indices) {
            val (x, y) = at % stored.width + 0.5 to at / stored.width + 0.5
            val column = (mapping.a * x + mapping.b * y + mapping.c).toInt()
            val row = (mapping.d * x + mapping.e * y + mapping.f).toInt()
            seen[row * width + column] = stored.argb[at]
        }
        return PixelImage(width, height, seen)
    }

    /** TIFF 6.0 in an APP1 segment: one field, tag 0x0112 of one short. */
    private fun exif(orientation: Int): ByteArray = "Exif\u0000\u0000MM\u0000*".toByteArray(Charsets.ISO_8859_1) +
        byteArrayOf(0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation.toByte(), 0, 0, 0, 0, 0, 0)
}
