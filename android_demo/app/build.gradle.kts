import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "textedit.demo"
    compileSdk = libs.versions.compile.sdk.get().toInt()

    defaultConfig {
        applicationId = "textedit.demo"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.target.sdk.get().toInt()
        versionCode = 1
        versionName = "1.0"
        buildConfigField("String", "EXECUTORCH_VERSION", "\"${libs.versions.executorch.get()}\"")
        // What ExecuTorch has native libraries for.
        ndk.abiFilters += listOf("arm64-v8a", "x86_64")
    }

    androidResources {
        localeFilters += listOf("en", "zh-rCN")
        generateLocaleConfig = true
        // Networks are copied out of the app once; stored, they need no second buffer for that.
        noCompress += listOf("pte", "f32")
    }

    buildFeatures {
        compose = true
        buildConfig = true
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
            // For trying out only; an app in a store has a key of its own.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
        targetCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
    }

    // Uncompressed and aligned to 16 KB in the package, so that devices with pages of that size map them as they are.
    packaging.jniLibs.useLegacyPackaging = false
}

kotlin {
    compilerOptions.jvmTarget = JvmTarget.fromTarget(libs.versions.jvm.get())
}

dependencies {
    implementation(project(":engine"))
    implementation(project(":ui"))
    implementation(libs.coroutines.android)
    implementation(platform(libs.compose.bom))
    implementation(libs.compose.material3)
    implementation(libs.compose.ui)
    implementation(libs.compose.tooling.preview)
    debugImplementation(libs.compose.tooling)
    implementation(libs.activity.compose)
    implementation(libs.core.ktx)
    implementation(libs.exifinterface)
    implementation(libs.lifecycle.viewmodel.compose)
    implementation(libs.lifecycle.runtime.compose)
    implementation(libs.mlkit.face)
}

val bundleManifest = layout.projectDirectory.file("src/main/assets/model.textedit/bundle.json")
tasks.named("preBuild") {
    val manifest = bundleManifest.asFile
    doFirst {
        check(manifest.isFile) { "the app has no bundle: run `python -m export --target android --embed android_demo` in the repository" }
    }
}
