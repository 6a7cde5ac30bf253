package textedit.demo

import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Build
import androidx.activity.compose.ManagedActivityResultLauncher
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.CreateDocument
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxHeight
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.FilledTonalIconToggleButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import androidx.lifecycle.viewmodel.compose.viewModel
import textedit.ui.FacePicture
import textedit.ui.FacePictureState

@Composable
fun EditorScreen(onSelfTest: () -> Unit, model: EditorViewModel = viewModel()) {
    val state by model.state.collectAsStateWithLifecycle()
    val saving by model.saving.collectAsStateWithLifecycle()
    val context = LocalContext.current
    val actions = rememberActions(model)
    val snackbar = remember { SnackbarHostState() }
    Messages(state.message ?: saving.message, snackbar, model::messageShown)
    LaunchedEffect(saving.share) {
        saving.share?.let(context::sendPicture)
        model.shared()
    }
    Scaffold(
        topBar = { EditorBar(onSelfTest, onBenchmark = { context.startActivity(Intent(context, BenchmarkActivity::class.java)) }) },
        snackbarHost = { SnackbarHost(snackbar) },
    ) { padding ->
        BoxWithConstraints(Modifier.padding(padding).fillMaxSize()) {
            if (maxWidth > maxHeight) {
                Row {
                    Picture(state.photo, model, Modifier.weight(1f).fillMaxHeight())
                    EditControls(state, saving.running, actions, Modifier.weight(1f).verticalScroll(rememberScrollState()).padding(16.dp))
                }
            } else {
                val controls = Modifier.fillMaxWidth().heightIn(max = maxHeight * 0.6f).verticalScroll(rememberScrollState()).padding(16.dp)
                Column {
                    Picture(state.photo, model, Modifier.weight(1f).fillMaxWidth())
                    EditControls(state, saving.running, actions, controls)
                }
            }
        }
    }
}

@Composable
private fun Picture(photo: ShownPhoto?, model: EditorViewModel, modifier: Modifier) {
    var compares by rememberSaveable { mutableStateOf(false) }
    Box(modifier, contentAlignment = Alignment.Center) {
        if (photo == null) {
            Text(stringResource(R.string.no_photo), Modifier.padding(32.dp), textAlign = TextAlign.Center)
            return@Box
        }
        val shown = FacePictureState(
            before = remember(photo.original) { photo.original.asImageBitmap() },
            after = remember(photo.edited) { photo.edited?.asImageBitmap() },
            width = photo.width,
            height = photo.height,
            faces = photo.faces,
            chosen = photo.chosen,
            compares = compares,
            description = stringResource(R.string.photo_after),
            beforeDescription = stringResource(R.string.photo_before),
        )
        FacePicture(shown, model::choose, model::choose, Modifier.fillMaxSize())
        if (photo.edited != null) CompareButton(compares, { compares = it }, Modifier.align(Alignment.BottomEnd).padding(16.dp))
    }
}

@Composable
private fun CompareButton(checked: Boolean, onChange: (Boolean) -> Unit, modifier: Modifier) {
    val label = stringResource(R.string.show_before)
    FilledTonalIconToggleButton(checked, onChange, modifier.semantics { contentDescription = label }) {
        // Two halves: before and after.
        Text("◐", style = MaterialTheme.typography.titleLarge)
    }
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
private fun EditorBar(onSelfTest: () -> Unit, onBenchmark: () -> Unit) {
    TopAppBar(
        title = { Text(stringResource(R.string.app_name)) },
        actions = {
            TextButton(onClick = onSelfTest) { Text(stringResource(R.string.self_test)) }
            TextButton(onClick = onBenchmark) { Text(stringResource(R.string.benchmark)) }
        },
    )
}

@Composable
private fun Messages(message: Message?, snackbar: SnackbarHostState, onShown: () -> Unit) {
    val text = message?.let { stringResource(it.text, it.detail) } ?: return
    LaunchedEffect(message) {
        snackbar.showSnackbar(text, withDismissAction = true)
        onShown()
    }
}

/** What the controls can do. */
class EditActions(
    val pick: () -> Unit,
    val choosePrompt: (String) -> Unit,
    val setStrength: (Float, Boolean) -> Unit,
    val setKeepDetail: (Boolean) -> Unit,
    val undo: () -> Unit,
    val redo: () -> Unit,
    val reset: () -> Unit,
    val retry: () -> Unit,
    val save: () -> Unit,
    val share: () -> Unit,
)

@Composable
private fun rememberActions(model: EditorViewModel): EditActions {
    val context = LocalContext.current
    val picker = rememberLauncherForActivityResult(PickVisualMedia()) { uri ->
        if (uri != null) {
            context.keepReadable(uri)
            model.pick(uri)
        }
    }
    val document = rememberLauncherForActivityResult(CreateDocument("image/jpeg")) { uri -> uri?.let(model::save) }
    return remember(model, context, picker, document) {
        EditActions(
            pick = { picker.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) },
            choosePrompt = model::choosePrompt,
            setStrength = model::setStrength,
            setKeepDetail = model::setKeepDetail,
            undo = { model.undo() },
            redo = { model.redo() },
            reset = { model.reset() },
            retry = model::openModel,
            save = { save(model, document) },
            share = { model.share() },
        )
    }
}

/** From Android 10 on an app may add pictures to the album; before, the user says where the picture goes, and no permission is needed. */
private fun save(model: EditorViewModel, document: ManagedActivityResultLauncher<String, Uri?>) {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) model.save(null) else document.launch("textedit.jpg")
}

/** Keeps the right to read a picked photo beyond this process. */
private fun Context.keepReadable(uri: Uri) {
    // A system keeps only so many of these rights; the last photo's is enough.
    contentResolver.persistedUriPermissions.filter { it.uri != uri }.forEach {
        contentResolver.releasePersistableUriPermission(it.uri, Intent.FLAG_GRANT_READ_URI_PERMISSION)
    }
    try {
        contentResolver.takePersistableUriPermission(uri, Intent.FLAG_GRANT_READ_URI_PERMISSION)
    } catch (_: SecurityException) {
        // A few pickers lend a photo to this process only; after its end the editor says that the photo has to be picked again.
    }
}

private fun Context.sendPicture(link: Uri) {
    val send = Intent(Intent.ACTION_SEND).apply {
        type = "image/jpeg"
        putExtra(Intent.EXTRA_STREAM, link)
        addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    }
    try {
        startActivity(Intent.createChooser(send, null))
    } catch (_: ActivityNotFoundException) {
        // The chooser itself says so when there is nothing to share with; only a restricted profile has no chooser at all.
    }
}
