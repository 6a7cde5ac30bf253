import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
    `java-test-fixtures`
    `maven-publish`
}

java {
    withSourcesJar()
    sourceCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
    targetCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
}

kotlin {
    compilerOptions.jvmTarget = JvmTarget.fromTarget(libs.versions.jvm.get())
}

dependencies {
    api(libs.coroutines.core)
    testImplementation(libs.kotlin.test.junit)
    testImplementation(libs.junit)
}

tasks.test {
    systemProperty("textedit.contracts", rootDir.resolve("../tests/contracts").path)
}

// Test fixtures are for this project's own tests.
val library = components["java"] as AdhocComponentWithVariants
listOf("testFixturesApiElements", "testFixturesRuntimeElements").forEach { variant ->
    library.withVariantsFromConfiguration(configurations[variant]) { skip() }
}

publishing {
    publications.register<MavenPublication>("library") {
        artifactId = "textedit-core"
        from(library)
    }
}
