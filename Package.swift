// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// Who uses the libraries without the trait resolves no package that only the program needs.
let sidecar = TargetDependencyCondition.when(traits: ["Sidecar"])

/// Arrows point down only: a target imports what stands below it here, and nothing beside it.
let package = Package(
    name: "pgsidecar",
    products: [
        .library(name: "Singleflight", targets: ["Singleflight"]),
        .library(name: "CacheCore", targets: ["CacheCore"]),
        .library(name: "TypedCache", targets: ["TypedCache"]),
        .executable(name: "pgsidecar", targets: ["pgsidecar"]),
    ],
    traits: [
        .trait(name: "Sidecar", description: "The program pgsidecar, beside the libraries."),
        .default(enabledTraits: ["Sidecar"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        // Without their traits, which bring the whole of Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        // C at the bottom: module maps, no logic.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CIntrinsics"),

        // What every target stands on: a mutex and monotonic time.
        .target(name: "Groundwork", swiftSettings: strict),

        // The cache, without I/O.
        .target(name: "Singleflight", dependencies: ["Groundwork"], swiftSettings: strict),
        .target(
            name: "CacheCore",
            dependencies: [
                "CIntrinsics", "Singleflight", "Groundwork",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),

        .target(
            name: "TypedCache",
            dependencies: [
                "CacheCore", "Singleflight", "Groundwork", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        // Bytes and readiness, without a cache.
        .target(name: "RESP", swiftSettings: strict),
        .target(
            name: "EventLoop",
            dependencies: [
                "CLinux", "Groundwork",
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),

        // YAML texts as trees that know their lines.
        .target(name: "YAML", dependencies: ["CLibYAML"], swiftSettings: strict),

        // Behind and in front.
        .target(
            name: "Postgres",
            dependencies: [
                "CLibPQ", "RESP", "EventLoop", "CacheCore", "Groundwork",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Server",
            dependencies: [
                "CLinux", "RESP", "EventLoop", "CacheCore", "Machine", "Groundwork",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        // What the database says of changes, to invalidations.
        .target(
            name: "Invalidation",
            dependencies: [
                "Postgres", "EventLoop", "CacheCore", "Groundwork",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        // What the operating system knows of users, variables and files; and a PostgreSQL of one's own, for the demo and tests.
        .target(name: "Machine", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "PrivateDatabase", dependencies: ["Machine", "Groundwork", "CLinux"], swiftSettings: strict),

        // Pages for people: the live page and the report of a load test. The files are part of the program.
        .target(
            name: "Pages",
            resources: [
                .embedInCode("Shared/style.css"), .embedInCode("Shared/format.js"), .embedInCode("Shared/plot.js"),
                .embedInCode("Status/status.html"), .embedInCode("Status/status.css"),
                .embedInCode("Status/timeline.js"), .embedInCode("Status/status.js"),
                .embedInCode("Report/report.html"), .embedInCode("Report/report.css"),
                .embedInCode("Report/report.js"),
            ],
            swiftSettings: strict),

        // What puts a sidecar to the test: clients that ask and writers that write.
        .target(
            name: "LoadTest",
            dependencies: [
                "RESP", "EventLoop", "CacheCore", "Postgres", "PrivateDatabase", "Machine", "Pages", "Groundwork",
                "CLinux", "CIntrinsics",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Histogram", package: "hdrhistogram-swift", condition: sidecar),
            ],
            swiftSettings: strict),

        // What operators and their programs ask over HTTP.
        .target(
            name: "Admin",
            dependencies: [
                "Pages", "CacheCore", "Groundwork",
                .product(name: "HummingbirdCore", package: "hummingbird", condition: sidecar),
                .product(name: "HTTPTypes", package: "swift-http-types", condition: sidecar),
                .product(name: "NIOCore", package: "swift-nio", condition: sidecar),
                .product(name: "NIOPosix", package: "swift-nio", condition: sidecar),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: sidecar),
            ],
            swiftSettings: strict
        ),

        // A sidecar's figures in a terminal.
        .target(name: "Top", dependencies: ["LoadTest", "Groundwork"], swiftSettings: strict),

        // Settings in, running services out; and the command line.
        .target(
            name: "SidecarApp",
            dependencies: [
                "Admin", "Server", "Invalidation", "Postgres", "EventLoop", "CacheCore", "YAML", "Groundwork", "CLinux",
                "Machine",
                "PrivateDatabase",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: sidecar),
                .product(name: "UnixSignals", package: "swift-service-lifecycle", condition: sidecar),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "pgsidecar",
            dependencies: [
                "SidecarApp", "Server", "LoadTest", "Top", "Postgres", "PrivateDatabase", "Machine", "Groundwork",
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: sidecar),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        // How well each eviction policy chooses: `make hit-ratio`.
        .executableTarget(
            name: "HitRatio",
            dependencies: ["CacheCore", "Groundwork", .product(name: "HeapModule", package: "swift-collections")],
            path: "Benchmarks/HitRatio",
            swiftSettings: strict
        ),

        // What the libraries' documentation shows, to be run: `swift run SingleflightExample`.
        .executableTarget(
            name: "SingleflightExample", dependencies: ["Singleflight"], path: "Examples/Singleflight",
            swiftSettings: strict),
        .executableTarget(
            name: "CacheCoreExample", dependencies: ["CacheCore"], path: "Examples/CacheCore", swiftSettings: strict),

        .executableTarget(
            name: "TypedCacheExample", dependencies: ["TypedCache"], path: "Examples/TypedCache", swiftSettings: strict),

        // What several test targets use: a client, getters that wait for the test, a PostgreSQL.
        .target(
            name: "TestSupport",
            dependencies: [
                "RESP", "EventLoop", "CacheCore", "PrivateDatabase", "Machine", "Groundwork",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestSupport",
            swiftSettings: strict),

        .testTarget(
            name: "SingleflightTests", dependencies: ["Singleflight", "TestSupport", "Groundwork"],
            swiftSettings: strict),
        .testTarget(
            name: "CacheCoreTests", dependencies: ["CacheCore", "TestSupport", "Groundwork"],
            swiftSettings: strict),
        .testTarget(
            name: "TypedCacheTests",
            dependencies: ["TypedCache", "CacheCore", "Groundwork", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict),
        .testTarget(name: "RESPTests", dependencies: ["RESP", "TestSupport", "Groundwork"], swiftSettings: strict),
        .testTarget(
            name: "EventLoopTests", dependencies: ["EventLoop", "Groundwork", "CLinux"], swiftSettings: strict),
        .testTarget(
            name: "PostgresTests",
            dependencies: [
                "Postgres", "EventLoop", "CacheCore", "PrivateDatabase", "TestSupport", "Groundwork",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "InvalidationTests",
            dependencies: [
                "Invalidation", "Postgres", "EventLoop", "CacheCore", "PrivateDatabase", "TestSupport", "Groundwork",
                "CLibPQ",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(name: "PagesTests", dependencies: ["Pages"], swiftSettings: strict),
        .testTarget(
            name: "LoadTestTests",
            dependencies: [
                "LoadTest", "CacheCore", "Groundwork",
                .product(name: "Histogram", package: "hdrhistogram-swift", condition: sidecar),
            ],
            exclude: ["Resources"],  // read by path
            swiftSettings: strict),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "RESP", "EventLoop", "CacheCore", "Machine", "PrivateDatabase", "TestSupport", "Groundwork",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(name: "TopTests", dependencies: ["Top", "LoadTest", "Groundwork"], swiftSettings: strict),
        .testTarget(
            name: "AdminTests",
            dependencies: [
                "Admin", "CacheCore", "TestSupport", "Groundwork",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            exclude: ["Rules"],  // for promtool
            swiftSettings: strict),
        .testTarget(
            name: "PrivateDatabaseTests", dependencies: ["PrivateDatabase", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "SidecarAppTests",
            dependencies: [
                "SidecarApp", "Server", "Invalidation", "Postgres", "EventLoop", "CacheCore", "PrivateDatabase",
                "TestSupport", "Groundwork", "Machine",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "SidecarApp", "LoadTest", "PrivateDatabase", "Machine", "TestSupport", "Groundwork", "YAML",
            ],
            exclude: ["Clients"],  // Python programs
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
