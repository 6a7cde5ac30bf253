package textedit.core

import java.util.concurrent.Semaphore
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Before
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class EditSessionTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private lateinit var bundle: Bundle
    private val black = PixelImage(8, 8, IntArray(64) { opaque(0, 0, 0) })
    private val white = PixelImage(8, 8, IntArray(64) { opaque(255, 255, 255) })

    /** Holds the decoder between [decoding] and [proceed], once it is armed. */
    private val decoding = Semaphore(0)
    private val proceed = Semaphore(0)
    private var held = false
    private val runner = ArithmeticRunner { part ->
        if (held && part.name == Manifest.DECODER) {
            decoding.release()
            proceed.acquire()
        }
    }

    private fun session() = EditSession(FaceNetworks(bundle, runner), Dispatchers.IO)

    private fun grey(outcome: EditOutcome): Int = assertIs<EditOutcome.Edited>(outcome).face.argb.distinct().single().blue

    @Before
    fun open() {
        bundle = TinyBundle.openIn(scratch.newFolder())
    }

    @Test
    fun `a face is encoded once, and each prompt's delta_w computed once`() = runBlocking {
        val session = session()
        assertEquals(0, grey(session.setFace(black)))
        // -1 + 1.0 * 0.5 is a quarter of the range: 255 / 4 = 63.75.
        assertEquals(64, grey(session.edit(mapOf("smile" to 1f))))
        assertEquals(32, grey(session.edit(mapOf("smile" to 0.5f))))
        assertEquals(listOf("encoder", "decoder", "editors/smile", "decoder", "decoder"), runner.ran)
    }

    @Test
    fun `prompts add up, own editors and vectors alike`() = runBlocking {
        val session = session()
        session.setFace(black)
        // The contract's vector sums to 1.375: -1 + 0.5 + 0.4 * 1.375 = 0.05, which is level 133.875.
        assertEquals(134, grey(session.edit(linkedMapOf("smile" to 1f, "sketch" to 0.4f))))
    }

    @Test
    fun `a new face forgets the one before`() = runBlocking {
        val session = session()
        session.setFace(black)
        session.edit(mapOf("smile" to 1f))
        assertEquals(255, grey(session.setFace(white)))
        session.edit(mapOf("smile" to 1f))
        assertEquals(2, runner.ran.count { it == "editors/smile" })
    }

    @Test
    fun `of the requests that wait, only the newest is answered`() = runBlocking {
        val session = session()
        session.setFace(black)
        held = true
        val running = async(Dispatchers.Default) { session.edit(mapOf("smile" to 1f)) }
        decoding.acquire()
        // Undispatched, so that all of them have asked before the first decoder goes on.
        val waiting = List(3) { async(start = CoroutineStart.UNDISPATCHED) { session.edit(mapOf("smile" to 0.5f * it)) } }
        proceed.release(2)
        assertEquals(64, grey(running.await()), "a decoder that has begun finishes")
        assertEquals(listOf(true, true, false), waiting.map { it.await() == EditOutcome.Superseded })
        assertEquals(64, grey(waiting.last().await()))
        assertEquals(3, runner.ran.count { it == Manifest.DECODER })
    }

    @Test
    fun `an edit that is asked for while a face is being set is one of the new face`() = runBlocking {
        val session = session()
        session.setFace(black)
        held = true
        val setting = async(Dispatchers.Default) { session.setFace(white) }
        decoding.acquire()
        val edit = async(start = CoroutineStart.UNDISPATCHED) { session.edit(mapOf("smile" to 0.5f)) }
        proceed.release(2)
        assertEquals(255, grey(setting.await()), "a face is dropped for a newer face alone")
        // 1 + 0.5 * 0.5 is above the range.
        assertEquals(255, grey(edit.await()))
    }

    @Test
    fun `an edit that waits is dropped when a new face comes`() = runBlocking {
        val session = session()
        session.setFace(black)
        held = true
        val running = async(Dispatchers.Default) { session.edit(mapOf("smile" to 1f)) }
        decoding.acquire()
        val waiting = async(start = CoroutineStart.UNDISPATCHED) { session.edit(mapOf("smile" to 0.5f)) }
        val setting = async(start = CoroutineStart.UNDISPATCHED) { session.setFace(white) }
        proceed.release(2)
        assertEquals(64, grey(running.await()))
        assertEquals(EditOutcome.Superseded, waiting.await())
        assertEquals(255, grey(setting.await()))
    }

    @Test
    fun `a cancelled request runs no further network`() = runBlocking {
        val session = session()
        session.setFace(black)
        held = true
        val running = async(Dispatchers.Default) { session.edit(mapOf("smile" to 1f)) }
        decoding.acquire()
        val cancelled = launch(start = CoroutineStart.UNDISPATCHED) { session.edit(mapOf("sketch" to 1f)) }
        cancelled.cancelAndJoin()
        held = false
        proceed.release()
        running.await()
        assertEquals(64, grey(session.edit(mapOf("smile" to 1f))))
        assertEquals(0, runner.ran.count { it == Manifest.TEXT_EDITOR })
    }

    @Test
    fun `what cannot be done is refused before any network runs`() = runBlocking {
        val session = session()
        assertFailsWith<IllegalStateException> { session.edit(mapOf("smile" to 1f)) }
        assertFailsWith<BundleException> { session.edit(mapOf("smlie" to 1f)) }
        assertFailsWith<IllegalArgumentException> { session.edit(mapOf("smile" to 1.6f)) }
        assertFailsWith<IllegalArgumentException> { session.setFace(PixelImage(1, 1, IntArray(1))) }
        assertEquals(emptyList(), runner.ran)
    }
}
