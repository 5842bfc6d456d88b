import Testing
import Weights

@testable import Models

@Suite struct ModelIndexTests {
  /// As Stable Diffusion 1.5 has it.
  static let version1 = """
    {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0",
     "feature_extractor": ["transformers", "CLIPImageProcessor"],
     "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
     "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
     "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
     "vae": ["diffusers", "AutoencoderKL"]}
    """

  @Test func readsStableDiffusion1() throws {
    #expect(try ModelIndex(reader(Self.version1)).schedulerClass == .pndm)
  }

  @Test func readsTheEmbeddedBase() throws {
    let index = try ModelIndex(
      contentsOf: embeddedBase.appendingPathComponent("model_index.json"))
    #expect(index.schedulerClass == .ddim)
  }

  @Test(arguments: [
    ("_class_name", "\"StableDiffusionXLPipeline\""),
    ("text_encoder", #"["transformers", "T5EncoderModel"]"#),
    ("unet", #"["diffusers", "FluxTransformer2DModel"]"#), ("vae", "[null, null]"),
    ("scheduler", "null"), ("text_encoder_2", #"["transformers", "CLIPTextModel"]"#),
  ])
  func refuses(key: String, value: String) {
    expectRefusal(of: key, value) {
      _ = try ModelIndex(reader(Self.version1, changing: key, to: value))
    }
  }

  @Test func namesAPartThatIsMissing() {
    expectRefusal(of: "scheduler", "missing") {
      _ = try ModelIndex(reader(#"{"_class_name": "StableDiffusionPipeline"}"#))
    }
  }
}
