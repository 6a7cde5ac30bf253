package textedit.demo

import android.graphics.Bitmap
import androidx.compose.foundation.Image
import androidx.compose.foundation.gestures.awaitEachGesture
import androidx.compose.foundation.gestures.awaitFirstDown
import androidx.compose.foundation.gestures.waitForUpOrCancellation
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxScope
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.FilledTonalIconToggleButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.input.pointer.pointerInput
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp

/** The result; the photo as it was while the picture is held down or the button says so. */
@Composable
fun ComparedPhoto(state: EditorState, modifier: Modifier = Modifier) {
    Box(modifier, contentAlignment = Alignment.Center) {
        if (state.original == null) NoPhoto() else BeforeAndAfter(state.original, state.edited)
    }
}

@Composable
private fun NoPhoto() {
    Text(
        stringResource(R.string.no_photo),
        Modifier.padding(32.dp),
        textAlign = TextAlign.Center,
        style = MaterialTheme.typography.bodyLarge,
    )
}

@Composable
private fun BoxScope.BeforeAndAfter(original: Bitmap, edited: Bitmap?) {
    var pinned by rememberSaveable { mutableStateOf(false) }
    var held by remember { mutableStateOf(false) }
    val after = edited.takeUnless { pinned || held }
    Image(
        bitmap = (after ?: original).asImageBitmap(),
        contentDescription = stringResource(if (after == null) R.string.photo_before else R.string.photo_after),
        contentScale = ContentScale.Fit,
        modifier = Modifier.fillMaxSize().pointerInput(Unit) {
            awaitEachGesture {
                awaitFirstDown()
                held = true
                waitForUpOrCancellation()
                held = false
            }
        },
    )
    if (edited != null) CompareButton(pinned, { pinned = it }, Modifier.align(Alignment.BottomEnd).padding(16.dp))
}

@Composable
private fun CompareButton(checked: Boolean, onChange: (Boolean) -> Unit, modifier: Modifier) {
    val label = stringResource(R.string.show_before)
    FilledTonalIconToggleButton(checked, onChange, modifier.semantics { contentDescription = label }) {
        // Two halves: before and after.
        Text("◐", style = MaterialTheme.typography.titleLarge)
    }
}
