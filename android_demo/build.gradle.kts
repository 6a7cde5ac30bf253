// Named here so that all modules share one version; the Android plugin brings its own Kotlin support, at least at this version.
plugins {
    alias(libs.plugins.android.application) apply false
    alias(libs.plugins.android.library) apply false
    alias(libs.plugins.kotlin.jvm) apply false
    alias(libs.plugins.kotlin.compose) apply false
}

// What `maven-publish` names the libraries by; the version is that of pyproject.toml.
allprojects {
    group = "textedit"
    version = "0.1.0"
}
