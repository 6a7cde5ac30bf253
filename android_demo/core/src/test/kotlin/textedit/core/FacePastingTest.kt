package textedit.core

import kotlin.math.abs
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertTrue

/** `pasteBack`, which keeps to the contract's vectors, is what the fast form is compared with. */
class FacePastingTest {
    private val photo = TestPhotos.smooth(320, 240, seed = 1)
    private val edited = TestPhotos.smooth(128, 128, seed = 2)
    private val reconstruction = TestPhotos.smooth(128, 128, seed = 3)

    // Smaller than the face (reduced), turned by each quarter, upright, across the corner, outside.
    private val crops = listOf(
        TestPhotos.crop(160.0, 120.0, side = 100.0, radians = 0.3),
        TestPhotos.crop(160.0, 120.0, side = 160.0, radians = -2.0),
        TestPhotos.crop(160.0, 120.0, side = 160.0, radians = 1.5),
        TestPhotos.crop(160.0, 120.0, side = 180.0, radians = 3.1),
        TestPhotos.crop(160.0, 120.0, side = 200.0),
        TestPhotos.crop(300.0, 230.0, side = 200.0, radians = 0.7),
        TestPhotos.crop(900.0, 900.0, side = 200.0),
    )

    /**
     * Positions in steps of 1/64 pixel leave differences of a few levels, and few of those. The second pass runs along columns: the
     * nearer a face is to 45 degrees, the farther apart its pixels lie there, which shows at the sharp edges of these random colours.
     */
    @Test
    fun `pastes as the exact form does`() {
        for (crop in crops) for ((threads, keepDetail) in listOf(1 to true, 3 to false)) {
            val pasted = RowPool(threads).use { FacePasting(photo, crop, reconstruction, it).paste(edited, keepDetail) }
            val exact = pasteBack(photo, edited, crop, reconstruction.takeIf { keepDetail })
            val differences = photo.argb.indices.flatMap { at ->
                listOf(16, 8, 0).map { abs((exact.argb[at] shr it and 0xFF) - (pasted.argb[at] shr it and 0xFF)) }
            }
            val turned = minOf(abs(crop.axis.x), abs(crop.axis.y)) / crop.side > 0.5
            assertTrue(differences.max() <= if (turned) 16 else 6, "$crop: ${differences.max()} levels")
            assertTrue(differences.average() < 0.4, "$crop: ${differences.average()} levels on average")
        }
    }

    @Test
    fun `a face that was not edited leaves every byte of the photo`() {
        val pasting = FacePasting(photo, crops[2], reconstruction, RowPool(1))
        assertContentEquals(photo.argb, pasting.paste(reconstruction, keepDetail = true).argb)
    }

    @Test
    fun `pictures do not share their pixels`() {
        val pasting = FacePasting(photo, crops[2], reconstruction, RowPool(1))
        val first = pasting.paste(edited, keepDetail = true)
        val before = first.argb.copyOf()
        pasting.paste(reconstruction, keepDetail = true)
        assertContentEquals(before, first.argb)
    }
}
