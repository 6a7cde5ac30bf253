package textedit.core

import java.io.File
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import org.junit.Before
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class BundleStoreTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private lateinit var home: File
    private lateinit var one: DirectorySource
    private lateinit var more: DirectorySource

    /** The contract's pair of a bundle and one with a prompt more. */
    @Before
    fun sources() {
        home = scratch.newFolder()
        val vectors = Vectors.read("updates.json")
        val case = vectors["cases"].items.first { it["name"].text == "a prompt more, whole bundle" }
        one = DirectorySource(case["installed"].writeFiles(scratch.newFolder(), vectors["contents"]))
        more = DirectorySource(case["update"].writeFiles(scratch.newFolder(), vectors["contents"]))
    }

    private fun prompts(bundle: Bundle?) = assertNotNull(bundle).manifest.prompts.map { it.id }

    @Test
    fun `an update can be taken back once`() {
        val store = BundleStore(home)
        assertNull(store.current())
        store.seed(one)
        assertEquals(listOf("smile", "sketch"), prompts(store.update(more)))
        assertEquals(listOf("smile"), prompts(store.rollback()))
        assertEquals(listOf("smile"), prompts(BundleStore(home).current()))
        assertContains(assertFailsWith<BundleException> { store.rollback() }.message!!, "no earlier bundle")
    }

    @Test
    fun `an update that its judge refuses changes nothing`() {
        val store = BundleStore(home)
        store.seed(one)
        val before = home.readTree()
        assertFailsWith<IllegalStateException> { store.update(more) { error("the self-test fails") } }
        assertEquals(before, home.readTree())
    }

    @Test
    fun `the app's own bundle is installed once, and does not undo an update`() {
        val store = BundleStore(home)
        store.seed(one)
        store.update(more)
        var judged = 0
        assertEquals(listOf("smile", "sketch"), prompts(store.seed(one) { judged++ }))
        assertEquals(0, judged)
    }

    @Test
    fun `the app's own bundle mends a damaged one, and a newer app replaces it`() {
        val store = BundleStore(home)
        val file = store.seed(one).root.resolve("report.html")
        file.writeText("damaged")
        assertFailsWith<BundleException> { store.current() }
        assertEquals(listOf("smile"), prompts(store.seed(one)))
        assertEquals(listOf("smile", "sketch"), prompts(store.seed(more)))
    }

    @Test
    fun `a file that grows while it is copied is cut off`() {
        val endless = object : BundleSource by one {
            override fun open(path: String) = if (path == "report.html") EndlessStream() else one.open(path)
        }
        assertContains(assertFailsWith<BundleException> { BundleStore(home).seed(endless) }.message!!, "report.html has more bytes")
        assertEquals(emptyList(), home.list().orEmpty().toList())
    }

    private class EndlessStream : java.io.InputStream() {
        override fun read() = 0
    }
}
