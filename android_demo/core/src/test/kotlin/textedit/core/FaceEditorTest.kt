package textedit.core

import java.io.File
import java.util.concurrent.Semaphore
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Before
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class FaceEditorTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private val photo = TestPhotos.smooth(120, 90, seed = 1)
    private val one = listOf(TestPhotos.face(50.0, 40.0, distance = 16.0))
    private val two = one + TestPhotos.face(10.0, 10.0, distance = 8.0)

    /** Lets the decoder run as often as there are permits, once it is armed. */
    private val decoding = Semaphore(0)
    private var held = false
    private var failure: Throwable? = null
    private val runner = ArithmeticRunner { part ->
        failure?.let { throw it }
        if (held && part.name == Manifest.DECODER) decoding.acquire()
    }
    private lateinit var bundle: Bundle
    private val editors = mutableListOf<FaceEditor>()

    @Before
    fun open() {
        bundle = TinyBundle.openIn(scratch.newFolder())
    }

    @After
    fun close() {
        decoding.release(1000)
        editors.forEach(FaceEditor::close)
    }

    private fun photo(faces: List<Landmarks>, file: ByteArray = ByteArray(0)): EditablePhoto = runBlocking {
        val editor = FaceEditor.open(bundle, runner, { faces }, EditorOptions(previewSide = 60, threads = 2)).also { editors += it }
        editor.photo(MemoryPhoto(photo, file))
    }

    private fun <T> within(block: suspend () -> T): T = runBlocking { withTimeout(20_000) { block() } }

    private fun smile(strength: Float) = listOf(Edit("smile", strength))

    @Test
    fun `a photo with one face can be edited at once`() = within {
        val photo = photo(one)
        assertEquals(photo.faces.single(), photo.chosen.value)
        assertEquals(60 to 45, photo.original.width to photo.original.height)
        val preview = photo.edit(smile(1f)).first()
        assertEquals(EditStep(smile(1f)), preview.step)
        assertNotEquals(photo.original.argb.toList(), preview.picture.argb.toList())
        assertContentEquals(photo.original.argb.copyOf(60), preview.picture.argb.copyOf(60), "the first row lies outside the face")
    }

    @Test
    fun `of several faces one is to be chosen, and where there is none nothing is edited`() = within {
        for (faces in listOf(emptyList(), two)) {
            val photo = photo(faces)
            assertEquals(faces.size, photo.faces.size)
            assertNull(photo.chosen.value)
            assertFailsWith<NoFaceChosen> { photo.edit(smile(1f)) }
        }
        val photo = photo(two)
        assertTrue(photo.faces[0].crop.side > photo.faces[1].crop.side, "the largest comes first")
        photo.choose(photo.faces[1])
        val preview = photo.edit(smile(1f)).first()
        val (left, right) = (0 until 45).map { it * 60 }.map { row -> row + 8 to row + 45 }.unzip()
        assertTrue(left.any { preview.picture.argb[it] != photo.original.argb[it] })
        assertTrue(right.all { preview.picture.argb[it] == photo.original.argb[it] })
    }

    @Test
    fun `the user may draw a square where no face was found`() = within {
        val photo = photo(emptyList())
        photo.choose(PhotoPart(30, 20, 90, 80))
        assertNotEquals(photo.original.argb.toList(), photo.edit(smile(1f)).first().picture.argb.toList())
        assertFailsWith<IllegalArgumentException> { photo.choose(PhotoPart(100, 20, 160, 80)) }
        assertFailsWith<IllegalArgumentException> { photo.choose(PhotoPart(10, 20, 40, 60)) }
        Unit
    }

    @Test
    fun `strength 0 is the photo itself, and no network runs for it`() = within {
        val photo = photo(one)
        assertSame(photo.original, photo.edit(smile(0f)).first().picture)
        assertSame(photo.original, photo.edit(emptyList(), keepDetail = false).first().picture)
        assertEquals(emptyList(), runner.ran)
    }

    @Test
    fun `what depends on the photo alone is computed once, prompts add up`() = within {
        val photo = photo(one)
        photo.edit(smile(0.5f)).first()
        photo.edit(smile(1f) + Edit("sketch", 0.4f)).first()
        photo.edit(smile(1f) + smile(0.5f)).first()
        assertEquals(listOf("encoder", "decoder", "editors/smile", "decoder", Manifest.TEXT_EDITOR, "decoder", "decoder"), runner.ran)
    }

    /** While the decoder is held, moves pile up; of those that wait only the newest is made, and none that is made is lost. */
    @Test
    fun `pictures of a drag come in order and end with the last move`() = within {
        val photo = photo(one)
        photo.edit(smile(0.01f)).first()
        held = true
        val shown = mutableListOf<Float>()
        val moves = (1..60).map { it / 40f }
        runBlocking {
            val collecting = launch(Dispatchers.Default) { photo.previews.collect { shown += it.step.edits.single().strength } }
            for (move in moves) {
                photo.edit(smile(move), moving = true)
                if (move * 40 % 5 < 1e-3) decoding.release()
                kotlinx.coroutines.delay(2)
            }
            decoding.release(1000)
            photo.previews.first { it.step.edits.single().strength == moves.last() }
            kotlinx.coroutines.delay(50)
            collecting.cancel()
        }
        assertEquals(moves.last(), shown.last())
        assertEquals(shown.sorted().distinct(), shown)
        assertTrue(shown.size in 5..moves.size, "${shown.size} pictures")
        photo.undo()
        assertEquals(0.01f, photo.history.value.current.edits.single().strength, "the drag was one step")
    }

    @Test
    fun `history shows its pictures`() = within {
        val photo = photo(one)
        val first = photo.edit(smile(0.5f)).first()
        photo.edit(smile(1f)).first()
        assertTrue(photo.undo())
        val again = photo.previews.first { it.step == first.step }
        assertContentEquals(first.picture.argb, again.picture.argb)
        photo.reset()
        assertSame(photo.original, photo.previews.first { it.step.isPhoto }.picture)
        assertTrue(photo.history.value.canUndo)
    }

    @Test
    fun `errors come through the stream, and the next edit is made all the same`() = within {
        val photo = photo(one)
        assertFailsWith<BundleException> { photo.edit(listOf(Edit("smlie", 1f))) }
        assertFailsWith<IllegalArgumentException> { photo.edit(smile(1f) + smile(1f)) }
        failure = IllegalStateException("the runtime is out of order")
        assertFailsWith<IllegalStateException> { photo.edit(smile(1f)).first() }
        failure = OutOfMemoryError()
        assertFailsWith<NotEnoughMemory> { photo.edit(smile(0.9f)).first() }
        failure = null
        photo.edit(smile(0.5f)).first()
        photo.working.first { !it }
        Unit
    }

    @Test
    fun `cancelling ends the streams`() = within {
        val photo = photo(one)
        photo.edit(smile(0.5f)).first()
        photo.cancel()
        photo.previews.toList()
        Unit
    }

    @Test
    fun `saves the newest edit at full size`() = within {
        val jpeg = TestPhotos.jpeg(photo)
        val target = File(scratch.newFolder(), "saved.jpg")
        val photo = photo(one, jpeg)
        photo.edit(smile(1f))
        assertEquals(Saved(emptySet()), photo.save(target))
        val saved = TestPhotos.decoded(target.readBytes())
        assertEquals(120 to 90, saved.width to saved.height)
        assertNotEquals(TestPhotos.decoded(jpeg).argb.toList(), saved.argb.toList())
        photo.edit(smile(0f))
        photo.save(target)
        assertContentEquals(jpeg, target.readBytes())
    }

    /** The compositor of these networks covers the middle of the crop with the decode. */
    @Test
    fun `with a compositor edits are drawn on the photo`() = within {
        bundle = TinyBundle.openIn(scratch.newFolder(), compositor = true)
        val photo = photo(one)
        val (drawn, kept) = listOf(true, false).map { photo.edit(smile(1f), keepDetail = it).first().picture.argb }
        assertEquals(listOf("encoder", "decoder", "editors/smile") + List(2) { listOf("decoder", "compositor") }.flatten(), runner.ran)
        assertContentEquals(drawn, kept, "keepDetail says nothing here")
        val box = Bounds.of(photo.faces.single().crop.scaled(0.5), context = 0.0)
        val changed = drawn.indices.filter { drawn[it] != photo.original.argb[it] }
        assertTrue(changed.isNotEmpty() && changed.all { it % 60 + 0.5 in box.left..box.right && it / 60 + 0.5 in box.top..box.bottom })
        assertSame(photo.original, photo.edit(smile(0f)).first().picture)
    }

    @Test
    fun `with a compositor the photo is drawn anew at full size`() = within {
        bundle = TinyBundle.openIn(scratch.newFolder(), compositor = true)
        val target = File(scratch.newFolder(), "saved.jpg")
        val jpeg = TestPhotos.jpeg(photo)
        photo(one, jpeg).run {
            edit(smile(1f))
            assertEquals(Saved(emptySet()), save(target))
        }
        assertNotEquals(TestPhotos.decoded(jpeg).argb.toList(), TestPhotos.decoded(target.readBytes()).argb.toList())
    }

    @Test
    fun `warming up tells how far it is`() = within {
        val shares = mutableListOf<Float>()
        val editor = FaceEditor.open(bundle, runner, { one }).also { editors += it }
        editor.warmUp { shares += it }
        assertEquals(listOf(0f, 0.5f, 1f), shares)
        assertEquals(setOf(Manifest.ENCODER, Manifest.DECODER), runner.loaded.toSet())
        assertTrue(editor.selfTest { error("no PNG in this bundle") }.all { it.passed })
        editor.release(setOf(Manifest.DECODER))
        assertEquals(setOf(Manifest.DECODER), runner.loaded.toSet())
    }
}
