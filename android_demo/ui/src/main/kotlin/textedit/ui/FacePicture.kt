package textedit.ui

import androidx.compose.foundation.Canvas
import androidx.compose.foundation.Image
import androidx.compose.foundation.gestures.detectDragGestures
import androidx.compose.foundation.gestures.detectTapGestures
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberUpdatedState
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.graphics.drawscope.Stroke
import androidx.compose.ui.input.pointer.pointerInput
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.toSize
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import textedit.core.Face
import textedit.core.PhotoPart
import textedit.core.Point

/**
 * What [FacePicture] shows.
 *
 * @property before the photo at the size of the screen.
 * @property after the same after the edit; null until there is one.
 * @property width,height of the whole photo in pixels, in which [faces] are.
 * @property chosen the face that is edited; null shows rings to choose from, or lets the user draw a square.
 * @property compares shows [before] for good.
 * @property description,beforeDescription what a screen reader says of the two.
 */
data class FacePictureState(
    val before: ImageBitmap,
    val after: ImageBitmap?,
    val width: Int,
    val height: Int,
    val faces: List<Face>,
    val chosen: Face?,
    val compares: Boolean,
    val description: String,
    val beforeDescription: String,
)

/**
 * The photo after the edit, and before it while it is held down. Rings lie around the faces, the chosen one's is bold; a tap chooses.
 * Without a face a drag draws the square to edit.
 */
@Composable
fun FacePicture(state: FacePictureState, onChoose: (Face) -> Unit, onDraw: (PhotoPart) -> Unit, modifier: Modifier = Modifier) {
    var held by remember { mutableStateOf(false) }
    val current by rememberUpdatedState(state)
    val after = state.after.takeUnless { state.compares || held }
    Box(modifier) {
        Image(
            bitmap = after ?: state.before,
            contentDescription = if (after == null) state.beforeDescription else state.description,
            contentScale = ContentScale.Fit,
            modifier = Modifier.fillMaxSize().pointerInput(Unit) {
                detectTapGestures(
                    onPress = {
                        held = true
                        tryAwaitRelease()
                        held = false
                    },
                    onTap = { at -> current.faceAt(at, size.toSize())?.let(onChoose) },
                )
            },
        )
        if (state.faces.isEmpty()) Drawing(state, onDraw) else Rings(state)
    }
}

@Composable
private fun Rings(state: FacePictureState) {
    val color = MaterialTheme.colorScheme.primary
    Canvas(Modifier.fillMaxSize()) {
        // A photo of one face needs no ring.
        if (state.faces.size == 1 && state.chosen != null) return@Canvas
        for (face in state.faces) {
            val width = if (face == state.chosen) 4.dp else 2.dp
            drawCircle(color, face.radius * state.scale(size), state.place(face.centre, size), style = Stroke(width.toPx()))
        }
    }
}

@Composable
private fun Drawing(state: FacePictureState, onDraw: (PhotoPart) -> Unit) {
    var square by remember(state.before) { mutableStateOf<Pair<Offset, Offset>?>(null) }
    val current by rememberUpdatedState(state)
    val color = MaterialTheme.colorScheme.primary
    Canvas(
        Modifier.fillMaxSize().pointerInput(Unit) {
            detectDragGestures(
                onDragStart = { square = it to it },
                onDrag = { change, _ -> square = square?.let { (start, _) -> start to change.position } },
                onDragEnd = { square?.let { (start, end) -> current.squareBetween(start, end, size.toSize()) }?.let(onDraw) },
            )
        },
    ) {
        val (start, end) = square ?: return@Canvas
        val side = max(abs(end.x - start.x), abs(end.y - start.y))
        val corner = Offset(if (end.x < start.x) start.x - side else start.x, if (end.y < start.y) start.y - side else start.y)
        drawRect(color, corner, Size(side, side), style = Stroke(2.dp.toPx()))
    }
}

private val Face.centre: Point get() = crop.toPhoto(Point(0.5, 0.5))

/** A crop reaches beyond its face on all sides. */
private val Face.radius: Float get() = (crop.side * 0.35).toFloat()

/** Points of the screen a pixel of the photo, which is shown whole. */
private fun FacePictureState.scale(view: Size): Float = min(view.width / width, view.height / height)

private fun FacePictureState.place(point: Point, view: Size): Offset {
    val scale = scale(view)
    val corner = Offset((view.width - width * scale) / 2, (view.height - height * scale) / 2)
    return corner + Offset(point.x.toFloat(), point.y.toFloat()) * scale
}

private fun FacePictureState.faceAt(at: Offset, view: Size): Face? =
    faces.filter { (place(it.centre, view) - at).getDistance() <= it.radius * scale(view) }.minByOrNull { it.crop.side }

/** The square that a drag spans, moved into the photo; null where it is too small to hold a face. */
private fun FacePictureState.squareBetween(start: Offset, end: Offset, view: Size): PhotoPart? {
    val origin = place(Point(0.0, 0.0), view)
    val (a, b) = listOf(start, end).map { (it - origin) / scale(view) }
    val side = max(abs(b.x - a.x), abs(b.y - a.y)).toInt().coerceAtMost(min(width, height))
    if (side < MIN_SIDE) return null
    val left = (if (b.x < a.x) a.x.toInt() - side else a.x.toInt()).coerceIn(0, width - side)
    val top = (if (b.y < a.y) a.y.toInt() - side else a.y.toInt()).coerceIn(0, height - side)
    return PhotoPart(left, top, left + side, top + side)
}

private const val MIN_SIDE = 32
