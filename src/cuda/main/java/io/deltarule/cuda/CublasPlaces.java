package io.deltarule.cuda;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * Where cuBLAS may lie on Linux, in the order in which it is tried: the system's before those of
 * Python's packages, and of each 12, which JCublas2 is made for, before 13.
 */
final class CublasPlaces {
  private static final List<String> SYSTEM =
      List.of(
          "usr/local/cuda/lib64", "usr/local/cuda-*/lib64", "opt/cuda/lib64", "opt/cuda-*/lib64");
  private static final List<String> SITES =
      List.of(
          "usr/local/lib/python3*/site-packages",
          "usr/local/lib/python3*/dist-packages",
          "usr/lib/python3*/site-packages",
          "usr/lib/python3*/dist-packages");
  private static final List<String> SITES_OF_PREFIX =
      List.of("lib/python3*/site-packages", "lib64/python3*/site-packages");
  private static final List<String> CONDA =
      List.of("lib", "targets/x86_64-linux/lib", "pkgs/libcublas-*/lib");

  private final Path root;
  private final Path home;
  private final UnaryOperator<String> environment;

  /**
   * Of a system.
   *
   * @param root of the file system
   * @param home the user's folder
   * @param environment the variables; null for what is not set
   */
  CublasPlaces(Path root, Path home, UnaryOperator<String> environment) {
    this.root = root;
    this.home = home;
    this.environment = environment;
  }

  /** What the linker may find, and the files that there are. */
  List<CublasCandidate> candidates() {
    List<CublasCandidate> found = new ArrayList<>();
    for (int major : CublasCandidate.MAJORS) {
      found.add(new CublasCandidate(major, "system", null));
      addExisting(found, system(), major, "system");
    }
    for (int major : CublasCandidate.MAJORS) {
      String wheel = major == 12 ? "nvidia/cublas/lib" : "nvidia/cu" + major + "/lib";
      addExisting(found, sites().map(site -> site.resolve(wheel)), major, "pip");
    }
    for (int major : CublasCandidate.MAJORS) {
      addExisting(found, matches(variable("CONDA_PREFIX"), CONDA), major, "conda");
    }
    return found;
  }

  private static void addExisting(
      List<CublasCandidate> found, Stream<Path> folders, int major, String origin) {
    folders
        .map(folder -> CublasCandidate.in(folder, major, origin))
        .filter(candidate -> Files.exists(candidate.file()))
        .forEach(found::add);
  }

  private Stream<Path> system() {
    return Stream.of(
            matches(variable("CUDA_HOME"), List.of("lib64")),
            matches(variable("CUDA_PATH"), List.of("lib64")),
            matches(root, SYSTEM))
        .flatMap(folders -> folders);
  }

  /** Where pip puts packages: of the active environment, of the user, of the system. */
  private Stream<Path> sites() {
    return Stream.of(
            matches(variable("VIRTUAL_ENV"), SITES_OF_PREFIX),
            matches(variable("CONDA_PREFIX"), SITES_OF_PREFIX),
            matches(home.resolve(".local"), SITES_OF_PREFIX),
            matches(root, SITES))
        .flatMap(folders -> folders);
  }

  private Path variable(String name) {
    String value = environment.apply(name);
    return value == null || value.isEmpty() ? null : Path.of(value);
  }

  /** The folders below one that match, pattern by pattern, and of each the last name first. */
  private static Stream<Path> matches(Path folder, List<String> patterns) {
    return folder == null
        ? Stream.of()
        : patterns.stream().flatMap(pattern -> matches(folder, Path.of(pattern)));
  }

  private static Stream<Path> matches(Path folder, Path pattern) {
    Stream<Path> first = children(folder, pattern.getName(0).toString()).stream();
    return pattern.getNameCount() == 1
        ? first
        : first.flatMap(child -> matches(child, pattern.subpath(1, pattern.getNameCount())));
  }

  private static List<Path> children(Path folder, String glob) {
    List<Path> found = new ArrayList<>();
    try (DirectoryStream<Path> children = Files.newDirectoryStream(folder, glob)) {
      children.forEach(found::add);
    } catch (IOException | DirectoryIteratorException e) {
      return List.of(); // it is not there, or not for us to read
    }
    found.sort(Comparator.reverseOrder());
    return found;
  }
}
